//! A version that is pinned.

use serde_json::{Value, json};

use crate::host::Host;

/// A host with a secret of two versions, pinned to the first.
fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.declare("db", &json!({ "version": 1, "rotation": null }));
    host.put("db", "one").put("db", "two");
    host.run(["fetch-all"]).succeed();
    host
}

#[test]
fn one_process_fetches_it_and_a_rotation_by_hand_leaves_it() {
    zts_testkit::require_bao!();
    let host = host("pinned");
    assert_eq!(host.value("db"), "one");
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "one");
    host.declare("db", &json!({ "version": 2 }));
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "two");
    host.put("db", "three");
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "two");
    host.declare("db", &json!({}));
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "three");
}

#[test]
fn status_and_metrics_tell_it() {
    zts_testkit::require_bao!();
    let host = host("pinned-status");
    let table = host.run(["status"]).run();
    table.assert_prints("db      1, pinned  OpenBao");
    let json = host.run(["status", "--json"]).run();
    let entries: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(entries["secrets"][0]["pinned_version"], 1);
    host.rotate("db").assert_success();
    let metrics = host.metrics();
    let line = "vault_secret_pinned_version{secret=\"db\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}
