//! What a person is shown.

use serde_json::{Value, json};

use crate::host::{Host, done};

fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.declare("db", &json!({ "required_keys": ["password"] }))
        .put("db", "hunter2");
    host.declare(
        "none",
        &json!({ "rotation": null, "cache_directory": null }),
    );
    done(&host.rotate("db"));
    host.server
        .put_secret(&host.secret("db"), &json!({ "user": "hunter3" }));
    host.rotate("db");
    host
}

#[test]
fn a_table_for_people() {
    testkit::require_bao!();
    let host = host("table");
    let output = host.run(["status"]).run();
    done(&output);
    insta::with_settings!({ filters => [(r"\b\d+s\b", "[n]s")] }, {
        insta::assert_snapshot!(output.stdout, @"
        SECRET  VERSION  FROM     CHANGED  COPY       SERVICES
        db      1        OpenBao  [n]s ago   1, [n]s old  -
        none    -        -        -        -          -

        `db`: version 2 was rejected [n]s ago: `hosts/table/db` has no key `password`; `vault-secrets rotate db --again` tries it again
        ");
    });
}

#[test]
fn json_for_programs() {
    testkit::require_bao!();
    let host = host("json");
    let output = host.run(["status", "--json"]).run();
    done(&output);
    let entries: Value = serde_json::from_str(&output.stdout).unwrap();
    let entry = &entries[0];
    assert_eq!(entry["name"], "db");
    assert_eq!(entry["version"], 1);
    assert_eq!(entry["source"], "openbao");
    assert_eq!(entry["copy"]["version"], 1);
    assert_eq!(entry["rejected"]["version"], 2);
    assert!(entries[1]["version"].is_null());
    assert!(!output.stdout.contains("hunter"));
}

#[test]
fn no_server_is_asked() {
    testkit::require_bao!();
    let host = host("offline");
    let asked = host.server.audited().len();
    let run = host.run(["status"]).env("BAO_ADDR", "http://127.0.0.1:1");
    done(&run.run());
    let asked_since: Vec<_> = host.server.audited()[asked..]
        .iter()
        .filter(|request| request.path.contains("hosts/offline"))
        .cloned()
        .collect();
    assert_eq!(asked_since, []);
}

#[test]
fn a_host_without_secrets() {
    testkit::require_bao!();
    let host = Host::new("empty");
    host.declare("db", &json!({}));
    host.forget("db");
    let output = host.run(["status"]).run();
    done(&output);
    assert_eq!(output.stdout, "no secrets are declared\n");
}
