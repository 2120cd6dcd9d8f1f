//! The command `status`.

use std::fs;

use serde_json::{Value, json};
use zts_delivery::StateDir;

use crate::host::Host;

fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.declare("db", &json!({ "required_keys": ["password"] }))
        .put("db", "hunter2");
    host.declare(
        "none",
        &json!({ "rotation": null, "cache_directory": null }),
    );
    host.rotate("db").assert_success();
    host.server
        .put_secret(&host.secret("db"), &json!({ "user": "hunter3" }));
    host.rotate("db");
    host
}

#[test]
fn a_table_for_people() {
    zts_testkit::require_bao!();
    let host = host("table");
    let output = host.run(["status"]).run().assert_status(1);
    insta::with_settings!({ filters => [(r"\b\d+s\b", "[n]s")] }, {
        insta::assert_snapshot!(output, @"
        exit status: 1
        ----- stdout -----
        SECRET  VERSION  FROM     CHANGED  COPY       SERVICES
        db      1        OpenBao  [duration] ago   1, [duration] old  -
        none    -        -        -        -          -

        `db`: version 2 was rejected [duration] ago: `hosts/table/db` has no key `password`; `vault-secrets rotate db --again` tries it again
        `none` is not in place: it was not fetched since the boot, or another program made its directory
        ----- stderr -----
        error: 1 of 2 declared secrets are not in place: `none`

        hint: `systemctl start vault-secret-none` fetches it; `journalctl -u vault-secret-none` shows why the fetch fails
        ");
    });
}

#[test]
fn json_for_programs() {
    zts_testkit::require_bao!();
    let host = host("json");
    let output = host.run(["status", "--json"]).run().assert_status(1);
    let entries: Value = serde_json::from_str(&output.stdout).unwrap();
    let entry = &entries["secrets"][0];
    assert_eq!(entry["name"], "db");
    assert_eq!(entry["version"], 1);
    assert_eq!(entry["source"], "openbao");
    assert_eq!(entry["copy"]["version"], 1);
    assert_eq!(entry["rejected"]["version"], 2);
    assert!(entries["secrets"][1]["version"].is_null());
    assert_eq!(
        [&entry["in_place"], &entries["secrets"][1]["in_place"]],
        [&json!(true), &json!(false)]
    );
    output.assert_lacks("hunter");
}

/// A run that is killed after its roll-back leaves the note of the rollout.
#[test]
fn a_version_that_was_rolled_back_is_not_unproven() {
    zts_testkit::require_bao!();
    let host = Host::new("rolled-back");
    host.declare("db", &json!({ "services": ["app.service"] }));
    for value in ["one", "two"] {
        host.put("db", value);
        host.fetch("db")
            .args(["--service", "app.service"])
            .succeed();
    }
    let unproven = || {
        let status = host.run(["status", "--json"]).run();
        let entries: Value = serde_json::from_str(&status.stdout).unwrap();
        let run = host
            .run(["metrics", "--state-dir", "/does/not/exist"])
            .run();
        let page = run.stdout;
        let in_metrics = page.contains("vault_secret_version_unproven{secret=\"db\"} 2");
        (entries["secrets"][0]["unproven"].as_u64(), in_metrics)
    };
    assert_eq!(unproven(), (Some(2), true));
    let state_dir = StateDir::open(&host.output("db")).unwrap();
    state_dir
        .roll_back(&["app.service".to_owned()].into())
        .unwrap();
    assert_eq!(host.value("db"), "one");
    assert_eq!(unproven(), (None, false));
}

#[test]
fn no_server_is_asked() {
    zts_testkit::require_bao!();
    let host = host("offline");
    let asked = host.server.audited_requests().len();
    let run = host.run(["status"]).env("BAO_ADDR", "http://127.0.0.1:1");
    assert_eq!(run.run().code(), Some(1)); // `none` is not in place
    let asked_since: Vec<_> = host.server.audited_requests()[asked..]
        .iter()
        .filter(|request| request.path.contains("hosts/offline"))
        .cloned()
        .collect();
    assert_eq!(asked_since, []);
}

#[test]
fn a_host_without_secrets() {
    zts_testkit::require_bao!();
    let host = Host::new("empty");
    host.declare("db", &json!({}));
    host.forget("db");
    let output = host.run(["status"]).succeed();
    assert_eq!(output.stdout, "no secrets are declared\n");
}

#[test]
fn a_secret_that_is_not_there_says_why() {
    zts_testkit::require_bao!();
    let host = Host::new("not-there");
    host.declare("db", &json!({}));
    host.rotate("db"); // nobody has written it
    let output = host.run(["status"]).run().assert_status(1);
    output.assert_prints("`db` is not in place: it does not exist on OpenBao, or was deleted");
    let output = host.run(["status", "--json"]).run();
    let entries: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(entries["secrets"][0]["last_failure"], "gone");
    host.put("db", "hunter2");
    host.rotate("db").assert_success();
    host.run(["status"]).succeed();
    fs::remove_dir_all(host.output("db")).unwrap();
    assert_eq!(host.run(["status"]).run().code(), Some(1));
}

/// A directory in place of a note cannot be read, as on a broken disk.
#[test]
fn an_unreadable_note_is_reported_and_the_other_secrets_are_shown() {
    zts_testkit::require_bao!();
    let host = Host::new("unreadable");
    for name in ["db", "tls"] {
        host.declare(name, &json!({})).put(name, "hunter2");
        host.rotate(name).assert_success();
    }
    let note = host.state_dir("db").join("written");
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();
    let output = host.run(["status"]).run();
    output.assert_prints("\ntls ");
    let said = format!("`db`: could not read `{}`: Is a directory", note.display());
    output.assert_reports(&said);
    assert_eq!(output.code(), Some(1), "{output}");
    output.assert_reports("the state of declared secrets could not be read: `db`");
    let output = host.run(["metrics"]).run();
    let in_place = "vault_secret_in_place{secret=";
    assert_eq!(output.stdout.matches(in_place).count(), 1, "{output}");
    output.assert_prints(&format!("{in_place}\"tls\"}} 1"));
    output.assert_failure(1, "the state of declared secrets could not be read: `db`");
    host.put("db", "hunter3").put("tls", "hunter3");
    host.rotate("db")
        .assert_failure(1, "/.db.vault-fetch/written`: Is a directory");
    assert_eq!(
        [host.value("db"), host.value("tls")],
        ["hunter2", "hunter3"]
    );
}
