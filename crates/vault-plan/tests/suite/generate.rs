//! Secrets of random values.

use serde_json::{Value, json};

use crate::site::{declarations, finding_lines, plan, secret, shared_server};

fn generated(changes: &Value) -> Value {
    let mut secret = secret("hosts/generated/db", changes);
    secret["generate"] = json!({
        "password": { "length": 24, "characters": "alphanumeric" },
        "token": { "length": 64, "characters": "hex" },
    });
    secret
}

#[test]
fn a_secret_that_does_not_exist_is_made_once() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("generated");
    let needs = json!({ "required_keys": ["password", "token"] });
    let declared = declarations("generated", &[("db", generated(&needs))]);
    let output = plan(&server, &declared).run();
    let advice = "`hosts/generated/db` is not in OpenBao; vault-plan --make-missing generated";
    output.assert_prints(advice);

    // two at once, as of two operators
    let runs = [(); 2].map(|()| plan(&server, &declared).args(["--make-missing"]).start());
    let outputs = runs.map(zts_testkit::Running::finish);
    let made = "made `hosts/generated/db` with random values: password, token";
    let makers = outputs.iter().filter(|output| output.stderr.contains(made));
    assert_eq!(makers.count(), 1, "{outputs:?}");
    let stored = server.read("secret/data/hosts/generated/db").unwrap();
    let (values, version) = (&stored["data"], &stored["metadata"]["version"]);
    assert_eq!(version, 1);
    let text = |key: &str| values[key].as_str().unwrap().to_owned();
    assert_eq!((text("password").len(), text("token").len()), (24, 64));
    assert!(text("token").bytes().all(|byte| byte.is_ascii_hexdigit()));
    for output in &outputs {
        assert_eq!(output.code(), Some(0), "{output}");
        let shown = format!("{}{}", output.stdout, output.stderr);
        assert!(!shown.contains(&text("password")) && !shown.contains(&text("token")));
    }
}

#[test]
fn what_needs_another_key_or_was_deleted_is_not_made() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("half");
    server.put_secret("hosts/half/deleted", &json!({ "password": "hunter2" }));
    server.delete_version("hosts/half/deleted");
    let needs = |path: &str, keys: &[&str]| {
        let mut secret = generated(&json!({ "required_keys": keys }));
        secret["secret_path"] = path.into();
        secret
    };
    let declared = declarations(
        "half",
        &[
            ("deleted", needs("hosts/half/deleted", &["password"])),
            ("half", needs("hosts/half/half", &["password", "username"])),
        ],
    );
    let lines = finding_lines(plan(&server, &declared).args(["--make-missing"]));
    let missing = [
        "missing deleted hosts/half/deleted",
        "missing absent hosts/half/half",
    ];
    assert_eq!(lines, missing);
}
