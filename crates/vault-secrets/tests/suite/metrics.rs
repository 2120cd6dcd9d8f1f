//! The metrics for Prometheus.

use std::fs;

use serde_json::json;

use zts_testkit::mode;

use crate::host::Host;

/// Returns the output of `vault-secrets metrics`.
fn metrics(host: &Host) -> String {
    let file = host.path("secrets.prom");
    let run = host
        .run(["metrics"])
        .args(["--output".as_ref(), file.as_os_str()])
        .args(["--state-dir".as_ref(), host.path("state").as_os_str()]);
    let output = run.succeed();
    assert_eq!(output.stdout, "");
    assert_eq!(mode(&file), "0644");
    fs::read_to_string(&file).unwrap()
}

#[track_caller]
fn has(metrics: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            metrics.lines().any(|known| known.starts_with(line)),
            "{line}:\n{metrics}"
        );
    }
}

#[test]
fn age_version_and_source_of_each_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("metrics-of-each");
    host.declare("db", &json!({})).put("db", "hunter2");
    host.declare(
        "none",
        &json!({ "rotation": null, "cache_directory": null }),
    );
    host.rotate("db").assert_success();
    let page = metrics(&host);
    has(
        &page,
        &[
            "vault_secret_in_place{secret=\"db\"} 1",
            "vault_secret_in_place{secret=\"none\"} 0",
            "vault_secret_version{secret=\"db\"} 1",
            "vault_secret_version_created_timestamp_seconds{secret=\"db\"} 1",
            "vault_secret_fetched_timestamp_seconds{secret=\"db\"} 1",
            "vault_secret_from_cache{secret=\"db\"} 0",
            "vault_secret_copy_confirmed_timestamp_seconds{secret=\"db\"} 1",
            "vault_secret_fetch_failed{secret=\"db\"} 0",
            "vault_secret_fetch_failures_total{secret=\"db\"} 0",
            "vault_secret_rotation_failed{secret=\"db\"} 0",
            "vault_secrets_written_timestamp_seconds 1",
        ],
    );
    assert!(!page.contains("hunter2"));
    assert!(!page.contains("version{secret=\"none\"}"));
    zts_testkit::assert_metrics_documented("vault-secrets", &page);
    host.run(["metrics", "--state-dir", "/does/not/exist"])
        .succeed()
        .assert_prints("vault_secret_version{secret=\"db\"} 1");
}

#[test]
fn a_removed_directory_is_not_in_place() {
    zts_testkit::require_bao!();
    let host = Host::new("metrics-removed");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    fs::remove_dir_all(host.output("db")).unwrap();
    has(&metrics(&host), &["vault_secret_in_place{secret=\"db\"} 0"]);
    host.run(["status"]).fail(1, "not in place");
}

#[test]
fn failures_are_counted_by_their_reason() {
    zts_testkit::require_bao!();
    let host = Host::new("metrics-failures");
    host.declare("db", &json!({})).put("db", "one");
    host.declare("tls", &json!({})).put("tls", "one");
    host.rotate("db").assert_success();

    host.rotate_at("db", "http://127.0.0.1:1");
    let page = metrics(&host);
    has(
        &page,
        &[
            "vault_secret_fetch_failed{secret=\"db\",reason=\"unavailable\"} 1",
            "vault_secret_fetch_failed{secret=\"tls\",reason=\"unavailable\"} 1",
            "vault_secret_fetch_failures_total{secret=\"db\"} 1",
            "vault_secret_rotation_failed{secret=\"db\"} 1",
        ],
    );

    let secret_id = host.path("approle/secret-id");
    let good = fs::read(&secret_id).unwrap();
    fs::write(&secret_id, "00000000-0000-0000-0000-000000000000").unwrap();
    host.rotate("db");
    has(
        &metrics(&host),
        &["vault_secret_fetch_failed{secret=\"db\",reason=\"credentials\"} 1"],
    );
    fs::remove_file(&secret_id).unwrap();
    host.rotate("db");
    has(
        &metrics(&host),
        &["vault_secret_fetch_failures_total{secret=\"tls\"} 3"],
    );

    fs::write(&secret_id, good).unwrap();
    host.rotate("db").assert_success();
    let page = metrics(&host);
    has(
        &page,
        &[
            "vault_secret_fetch_failed{secret=\"db\"} 0",
            "vault_secret_fetch_failed{secret=\"tls\"} 0",
            "vault_secret_fetch_failures_total{secret=\"db\"} 3",
        ],
    );

    host.forget("tls");
    host.clean().assert_success();
    assert!(!metrics(&host).contains("tls"));
}

#[test]
fn a_place_that_cannot_be_written_to_is_told() {
    zts_testkit::require_bao!();
    let host = Host::new("metrics-unwritable");
    host.declare("db", &json!({}));
    host.run(["metrics", "--output", "/does/not/exist/a.prom"])
        .fail(1, "could not write `/does/not/exist/a.prom`");
}
