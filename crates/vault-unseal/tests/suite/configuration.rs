//! Configurations that are refused, each with what is wrong.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use testkit::Server;

use crate::Machine;

#[test]
fn each_says_what_is_wrong() {
    testkit::require_bao!();
    let machine = Machine::new(&Server::dev());
    let share = "00".repeat(32);
    let good = json!({ "log_level": "info", "probe_interval": 5, "nodes": ["http://127.0.0.1:1"], "unseal_keys": [share] });
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        changed
    };
    for (configuration, said) in [
        (with("unseal_key", json!([])), "unknown field `unseal_key`"),
        (with("log_level", json!("loud")), "unknown variant `loud`"),
        (with("probe_interval", json!(0)), "`probe_interval` is 0"),
        (
            with("probe_interval", json!("5s")),
            "a text where something else",
        ),
        (with("nodes", json!([])), "`nodes` is empty"),
        (
            with("nodes", json!(["10.0.0.1:8200"])),
            "is not the address of an OpenBao server",
        ),
        (
            with("unseal_keys", json!(["übung"])),
            "neither hex nor base64",
        ),
        (
            with("unseal_keys", json!(share)),
            "a text where something else",
        ),
        (with("nodes", json!(share)), "a text where something else"),
        (with("unseal_keys", json!([])), "there are no key shares"),
        (json!([]), "is not understood"),
    ] {
        let output = machine.configure(&configuration).run(&["--once"]).run();
        assert_eq!(output.code(), Some(2), "{said}: {output}");
        assert!(output.stderr.contains(said), "{said}: {output}");
        assert!(!output.stderr.contains(&share), "{said}: {output}");
    }
    machine.configure(&good);
    fs::set_permissions(
        machine.path("config.json"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    let output = machine.run(&["--once"]).run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("mode 640"), "{output}");
}
