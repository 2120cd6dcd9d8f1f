//! Output of the program.

use serde_json::{Value, json};

use crate::site::{declarations, plan, secret, shared_server};

#[test]
fn several_hosts_have_a_summary() {
    zts_testkit::require_bao!();
    let server = shared_server();
    for host in ["one", "two"] {
        server.add_host(host);
        server.put_secret(&format!("hosts/{host}/db"), &json!({ "key": "hunter2" }));
    }
    let host = |name: &str| {
        declarations(
            name,
            &[("db", secret(&format!("hosts/{name}/db"), &json!({})))],
        )
    };
    let both = json!({ "one": host("one"), "two": host("two") });
    insta::assert_snapshot!(plan(&server, &both).run(), @r"
    exit status: 0
    ----- stdout -----
    one: 1 secret, all there
    two: 1 secret, all there

    2 hosts, 2 secrets: all there
    ----- stderr -----
    ");
    insta::assert_snapshot!(plan(&server, &json!({})).run(), @r"
    exit status: 0
    ----- stdout -----
    no host declares secrets
    ----- stderr -----
    ");
}

#[test]
fn json_has_everything_and_no_value() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("machine");
    server.put_secret("hosts/machine/db", &json!({ "user": "hunter2" }));
    server.put_secret("hosts/machine/gone", &json!({ "user": "hunter2" }));
    server.delete_version("hosts/machine/gone");
    let declared = declarations(
        "machine",
        &[
            (
                "db",
                secret(
                    "hosts/machine/db",
                    &json!({ "required_keys": ["password"] }),
                ),
            ),
            ("gone", secret("hosts/machine/gone", &json!({}))),
        ],
    );
    insta::assert_snapshot!(plan(&server, &declared).args(["--json"]).run(), @r#"
    exit status: 1
    ----- stdout -----
    {
      "hosts": [
        {
          "findings": [
            {
              "advice": "bao kv undelete -mount=secret -versions=1 hosts/machine/gone",
              "kind": "missing",
              "message": "`hosts/machine/gone` was deleted: version 1, at [time]",
              "path": "hosts/machine/gone",
              "reason": "deleted",
              "secret": "gone",
              "time": "[time]",
              "version": 1
            },
            {
              "advice": "bao kv patch -mount=secret hosts/machine/db password=…",
              "key": "password",
              "kind": "keys",
              "message": "`hosts/machine/db` has no key `password` (it is required)",
              "needed_by": [
                "required"
              ],
              "path": "hosts/machine/db",
              "reason": "missing",
              "secret": "db"
            }
          ],
          "hostname": "machine",
          "name": "machine",
          "secrets": 2
        }
      ],
      "summary": {
        "denied": 0,
        "hosts": 1,
        "keys": 1,
        "missing": 1,
        "note": 0,
        "secrets": 2,
        "undeclared": 0,
        "unused": 0
      }
    }
    ----- stderr -----
    error: 2 findings of the kinds `missing`, `keys` and `denied`
    "#);
    let nothing = plan(&server, &json!({})).args(["--json"]).succeed();
    let nothing: Value = serde_json::from_str(&nothing.stdout).unwrap();
    assert_eq!(nothing["hosts"], json!([]));
    assert_eq!(nothing["summary"]["missing"], 0);
}

#[test]
fn no_run_shows_a_value_or_the_token() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("quiet");
    let value = "tr0ub4dor-and-three";
    server.put_secret(
        "hosts/quiet/env",
        &json!({ "bad name": value, "alien": format!("{value}\u{fdd0}") }),
    );
    let changes = json!({ "environment_file": "env", "required_keys": ["nothing"] });
    let declared = declarations("quiet", &[("env", secret("hosts/quiet/env", &changes))]);
    for more in [&[][..], &["--json"], &["--strict"]] {
        let output = plan(&server, &declared).args(more).run().assert_status(1);
        for hidden in [value, server.root_token()] {
            let is_shown = output.stdout.contains(hidden) || output.stderr.contains(hidden);
            assert!(!is_shown, "{output}");
        }
    }
}
