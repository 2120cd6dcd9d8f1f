//! Deployment of new versions and their copies.

use std::fs;

use serde_json::json;

use zts_testkit::{mode, names};

use crate::host::Host;

#[test]
fn a_new_version_replaces_the_old_one_and_its_copy() {
    zts_testkit::require_bao!();
    let host = Host::new("replaced");
    host.declare("db", &json!({})).put("db", "one");
    let output = host.rotate("db").assert_success();
    insta::assert_snapshot!(output.stderr, @"`db`: version 1 is in place");
    assert_eq!(
        (host.value("db"), host.copied("db")),
        ("one".to_owned(), Some(1))
    );
    host.put("db", "two");
    host.rotate("db").assert_success();
    assert_eq!(
        (host.value("db"), host.copied("db")),
        ("two".to_owned(), Some(2))
    );
    assert_eq!(
        names(&host.state_dir("db")),
        ["changed", "fingerprints", "previous", "written"]
    );
    let old = fs::read_to_string(host.state_dir("db").join("previous/password")).unwrap();
    assert_eq!(old, "one", "open readers can finish");
}

#[test]
fn all_secrets_with_the_same_calendar_are_looked_after_and_others_not() {
    zts_testkit::require_bao!();
    let host = Host::new("group");
    for name in ["a", "b", "c"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.declare("b", &json!({ "rotation": "daily" }));
    host.declare("never", &json!({ "rotation": null }))
        .put("never", "one");
    host.rotate("c").assert_success();
    let values = ["a", "b", "c", "never"].map(|name| host.value(name));
    assert_eq!(values, ["one", "", "one", ""]);
    host.rotate("never").assert_success();
    assert_eq!(
        (host.value("never"), host.value("b")),
        ("one".to_owned(), String::new())
    );
}

#[test]
fn a_version_with_the_same_files_changes_nothing_but_the_note() {
    zts_testkit::require_bao!();
    let host = Host::new("equal");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    let changed = fs::read(host.state_dir("db").join("changed")).unwrap();
    host.put("db", "one");
    host.rotate("db").assert_success();
    assert_eq!(
        fs::read(host.state_dir("db").join("changed")).unwrap(),
        changed
    );
    assert_eq!(host.copied("db"), Some(2));
}

#[test]
fn a_secret_that_was_deleted_with_all_its_versions_and_made_anew_is_new() {
    zts_testkit::require_bao!();
    let host = Host::new("anew");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    host.server.delete_metadata(&host.secret("db"));
    host.put("db", "another one");
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "another one");
}

#[test]
fn metrics_are_for_everybody_and_hold_no_value() {
    zts_testkit::require_bao!();
    let host = Host::new("metrics");
    host.declare("db", &json!({})).put("db", "hunter2");
    host.declare("tls", &json!({ "required_keys": ["key"] }))
        .put("tls", "hunter2");
    host.rotate("db").assert_success();
    let metrics = host.metrics();
    for line in [
        "vault_secret_version{secret=\"db\"} 1",
        "vault_secret_rotation_failed{secret=\"db\"} 0",
        "vault_secret_rotation_failed{secret=\"tls\"} 1",
        "vault_secret_rejected_version{secret=\"tls\"} 1",
        "vault_secret_rotation_timestamp_seconds{secret=\"db\"} ",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
    assert!(!metrics.contains("hunter2") && !metrics.contains("version{secret=\"tls\"} 0"));
    assert_eq!(mode(&host.path("state/metrics.prom")), "0644");
}

#[test]
fn a_rotation_finishes_an_interrupted_fetch() {
    zts_testkit::require_bao!();
    let host = Host::new("no-copy");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    // killed between the swap and the copy
    fs::remove_file(host.cache("db").join("secret.json")).unwrap();
    host.rotate("db").assert_success();
    assert_eq!(host.copied("db"), Some(1));
}

#[test]
fn a_place_of_another_program_fails_that_secret_alone() {
    zts_testkit::require_bao!();
    let host = Host::new("somebody");
    host.declare("db", &json!({})).put("db", "one");
    host.declare("tls", &json!({})).put("tls", "one");
    fs::create_dir_all(host.output("tls")).unwrap();
    fs::write(host.output("tls").join("mine"), "").unwrap();
    host.rotate("tls")
        .assert_failure(1, "holds files that vault-fetch did not write");
    assert_eq!(
        (host.value("db"), host.copied("tls")),
        ("one".to_owned(), None)
    );
    assert_eq!(names(&host.output("tls")), ["mine"]);
}
