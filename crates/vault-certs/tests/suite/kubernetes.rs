//! The bundle for Kubernetes.

use crate::{Fleet, NOW, run};

#[test]
fn manifests_for_kubernetes() {
    let fleet = Fleet::new();
    fleet.renew("a", NOW, &[]);
    let ca = fleet.path("a/ca.pem");
    let arguments = ["kubernetes", "--ca", ca.to_str().unwrap(), "--namespace"];
    let output = run(&[&arguments[..], &["web", "--namespace", "default"]].concat());
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(output.stdout.matches("name: vault-tls").count(), 2);
    let lines = output.stdout.lines();
    let held: Vec<_> = lines.filter_map(|line| line.strip_prefix("    ")).collect();
    let held = held.join("\n");
    assert!(held.contains(fleet.text("a/ca.pem").trim_end()), "{output}");
    for name in ["", "Web", "a\nb", "-a", "a_b"] {
        assert_eq!(
            run(&[&arguments[..], &[name]].concat()).code(),
            Some(2),
            "{name}"
        );
    }
}
