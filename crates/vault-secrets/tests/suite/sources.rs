//! Secrets of other engines than KV.

use std::{fs, thread, time::Duration};

use serde_json::json;
use zts_testkit::{Server, closed_port};

use crate::{
    fetch_all::{fetch_all, reboot},
    host::Host,
    watch::{SYSTEMCTL, started, wait_for_starts, watch},
};

/// Creates a host with the right to a PKI engine of its own.
fn host(name: &str) -> Host {
    let host = Host::on(Server::builder().audit().start(), name);
    host.server.enable_pki("pki");
    host.server.allow_engine(name, "pki");
    host
}

fn declare_certificate(host: &Host, ttl: &str) {
    host.declare(
        "tls",
        &json!({
            "secret_path": "pki/sign/web",
            "source": { "pki": { "common_name": "web01.example.org", "ttl": ttl } },
        }),
    );
}

fn key(host: &Host) -> String {
    fs::read_to_string(host.output("tls").join("key.pem")).unwrap_or_default()
}

/// Returns the number of certificates that were asked for.
fn signed(host: &Host) -> usize {
    let audited = host.server.audited_requests();
    let signing = audited.iter().filter(|one| one.path == "pki/sign/web");
    signing.count()
}

/// OpenBao dates a certificate back by 30 seconds, so one for few seconds is due at once.
#[test]
fn a_rotation_replaces_a_certificate_that_is_due() {
    zts_testkit::require_bao!();
    let host = host("due");
    declare_certificate(&host, "8s");
    let output = host.rotate("tls").assert_success();
    insta::assert_snapshot!(output.stderr, @"`tls`: version 1 is in place");
    let first = key(&host);
    let output = host.rotate("tls").assert_success();
    insta::assert_snapshot!(output.stderr, @"`tls`: version 2 is in place");
    assert_ne!(key(&host), first);
    assert_eq!(signed(&host), 2);
}

#[test]
fn a_rotation_leaves_a_certificate_that_is_not_due() {
    zts_testkit::require_bao!();
    let host = host("not-due");
    declare_certificate(&host, "24h");
    host.rotate("tls").assert_success();
    let first = key(&host);
    let output = host.rotate("tls").assert_success();
    assert_eq!((output.stderr.as_str(), key(&host)), ("", first.clone()));
    // not even OpenBao is needed
    let refused = closed_port();
    host.rotate_at("tls", &refused.address()).assert_success();
    assert_eq!((key(&host), signed(&host)), (first, 1));
}

/// The key may have been seen.
#[test]
fn a_certificate_is_replaced_at_once_where_that_is_asked_for() {
    zts_testkit::require_bao!();
    let host = host("replaced");
    declare_certificate(&host, "24h");
    host.rotate("tls").assert_success();
    let first = key(&host);
    let output = host.rotate_again("tls").assert_success();
    insta::assert_snapshot!(output.stderr, @"`tls`: version 2 is in place");
    assert!(!key(&host).is_empty() && key(&host) != first);
}

/// A service that may write its files must not choose the key that the host keeps.
#[test]
fn another_pair_in_the_directory_is_not_taken_over() {
    zts_testkit::require_bao!();
    let host = host("altered-tls");
    declare_certificate(&host, "24h");
    let other = json!({ "pki": { "common_name": "web02.example.org", "ttl": "700h" } });
    host.declare(
        "other",
        &json!({ "secret_path": "pki/sign/web", "source": other }),
    );
    fetch_all(&host).succeed();
    let first = key(&host);
    let alter = || {
        for file in ["key.pem", "cert.pem", "chain.pem"] {
            let (from, to) = (
                host.output("other").join(file),
                host.output("tls").join(file),
            );
            fs::remove_file(&to).unwrap();
            fs::copy(from, to).unwrap();
        }
        assert_ne!(key(&host), first);
    };
    alter();
    fetch_all(&host).succeed();
    assert_eq!(key(&host), first);
    alter();
    let output = host.rotate("tls").assert_success();
    output.assert_reports("altered");
    assert_eq!(key(&host), first);
    // without a copy there is only a new one
    fs::remove_dir_all(host.cache("tls")).unwrap();
    alter();
    fetch_all(&host).succeed();
    let other = fs::read_to_string(host.output("other").join("key.pem")).unwrap();
    assert!(![first, other].contains(&key(&host)));
}

/// A boot fetches certificates and KV secrets together, and does not ask for a certificate that the
/// cache has.
#[test]
fn all_kinds_come_at_a_boot() {
    zts_testkit::require_bao!();
    let host = host("boot");
    declare_certificate(&host, "24h");
    host.declare("db", &json!({})).put("db", "first");
    host.declare(
        "ca",
        &json!({ "secret_path": "pki/cert/ca", "source": "read" }),
    );
    fetch_all(&host).succeed();
    let first = key(&host);
    reboot(&host);
    fetch_all(&host).succeed();
    assert_eq!((key(&host), signed(&host)), (first, 1));
    assert_eq!(host.value("db"), "first");
    let authority = fs::read_to_string(host.output("ca").join("certificate")).unwrap();
    assert!(authority.starts_with("-----BEGIN CERTIFICATE"));
    let status = host.run(["status"]).run().assert_success();
    status.assert_prints("`tls`: the certificate expires in 23h");
    let metrics = host.run(["metrics"]).run().assert_success();
    let name = "vault_secret_certificate_expiry_timestamp_seconds";
    metrics.assert_prints(&format!("{name}{{secret=\"tls\"}} 1"));
    metrics.assert_lacks(&format!("{name}{{secret=\"db\"}}"));
}

#[test]
fn other_names_need_another_certificate() {
    zts_testkit::require_bao!();
    let host = host("renamed");
    declare_certificate(&host, "24h");
    fetch_all(&host).succeed();
    let first = key(&host);
    host.declare(
        "tls",
        &json!({
            "secret_path": "pki/sign/web",
            "source": { "pki": { "common_name": "web02.example.org", "ttl": "24h" } },
        }),
    );
    let status = host.run(["status"]).run();
    status.assert_prints("tls");
    fetch_all(&host).succeed();
    assert_ne!(key(&host), first);
}

/// An answer that differs each time is left to the timer.
#[test]
fn watch_starts_the_rotation_of_a_certificate_that_is_due() {
    zts_testkit::require_bao!();
    let host = host("watched-tls");
    host.write_program("systemctl", SYSTEMCTL);
    declare_certificate(&host, "8s");
    host.declare(
        "ca",
        &json!({ "secret_path": "pki/cert/ca", "source": "read", "rotation": "daily" }),
    );
    fetch_all(&host).succeed();
    let run = watch(&host).start();
    let units = wait_for_starts(&host, 1);
    assert_eq!(units[0], "vault-secret-rotate-tls.service");
    declare_certificate(&host, "24h");
    run.kill().assert_reports("`tls`: a new certificate is due");
    host.rotate_again("tls").assert_success();
    let count = started(&host).len();
    let run = watch(&host).start();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(started(&host).len(), count);
    run.kill();
}
