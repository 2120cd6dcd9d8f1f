//! Certificates: verified unless the user says otherwise in so many words.

use std::fs;

use serde_json::json;
use testkit::{Certificate, Certificates, Output, Proxy, Server, Trouble};

use crate::host::{Host, files, shared_server};

fn host_with(certificate: Certificate, name: &str) -> Host {
    let host = Host::on(Server::builder().tls(certificate).start(), name);
    host.put(&json!({ "password": "hunter2" }));
    host
}

/// A certificate that is not trusted is not asked for a second time.
fn refused(host: &Host) -> Output {
    let output = host.fetch().deadline("20s").run();
    assert!(output.time.as_secs() < 10, "{:?}", output.time);
    assert!(!host.output().exists());
    output
}

#[test]
fn a_certificate_from_another_authority() {
    testkit::require_bao!();
    let host = host_with(Certificate::AnotherAuthority, "other-ca");
    insta::assert_snapshot!(refused(&host), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/other-ca/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: no CA certificate known here vouches for its certificate; no cache available

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, and an address that its certificate names
    ");
}

#[test]
fn a_certificate_for_another_name() {
    testkit::require_bao!();
    let host = host_with(Certificate::AnotherName, "other-name");
    insta::assert_snapshot!(refused(&host), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/other-name/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is for another name; no cache available

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, and an address that its certificate names
    ");
}

#[test]
fn a_certificate_that_has_expired() {
    testkit::require_bao!();
    let host = host_with(Certificate::Expired, "expired");
    insta::assert_snapshot!(refused(&host), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/expired/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate has expired; no cache available

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, and an address that its certificate names
    ");
}

#[test]
fn without_verifying_each_run_warns() {
    testkit::require_bao!();
    let host = host_with(Certificate::Expired, "unverified");
    for fetch in [
        host.fetch().args(["--skip-verify"]),
        host.fetch().env("VAULT_SKIP_VERIFY", "true"),
    ] {
        insta::allow_duplicates! { insta::assert_snapshot!(fetch.run(), @"
        exit status: 0
        ----- stdout -----
        ----- stderr -----
        warning: OpenBao's certificate is not verified: whoever can answer in its place reads every secret
        "); }
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

#[test]
fn a_certificate_that_is_not_trusted_lets_the_cache_stand_in() {
    testkit::require_bao!();
    let host =
        host_with(Certificate::Good, "stand-in").with_cached(&json!({ "password": "hunter2" }));
    let other = Certificates::new();
    let output = host
        .fetch()
        .cached()
        .env("BAO_CACERT", other.authority())
        .run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: no CA certificate known here vouches for its certificate; `hosts/stand-in/db` comes from the cache: version 2, confirmed [duration] ago
    ");
}

#[test]
fn a_bundle_that_is_missing_empty_or_garbage_is_a_wrong_configuration() {
    testkit::require_bao!();
    let host = host_with(Certificate::Good, "bundle");
    let bundle = host.path("ca.pem");
    let run = || host.fetch().env("BAO_CACERT", &bundle).run();
    insta::assert_snapshot!(run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/bundle/db` was not written: the CA bundle `[temporary]/ca.pem` could not be read: No such file or directory (os error 2)

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`
    ");
    for content in [
        "",
        "garbage",
        "-----BEGIN CERTIFICATE-----\nAAAA",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(&bundle, content).unwrap();
        let output = run();
        assert_eq!(output.code(), Some(2), "{content:?}: {output}");
    }
    insta::assert_snapshot!(run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/bundle/db` was not written: the CA bundle `[temporary]/ca.pem` holds no usable PEM certificate

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`
    ");
}

#[test]
fn a_bundle_may_hold_other_things_beside() {
    testkit::require_bao!();
    let host = host_with(Certificate::Good, "bundled");
    let (other, bundle) = (Certificates::new(), host.path("ca.pem"));
    let text: String = [
        "# a comment\n".to_owned(),
        fs::read_to_string(other.authority()).unwrap(),
        fs::read_to_string(other.server().key).unwrap(),
        fs::read_to_string(host.server.ca_certificate().unwrap()).unwrap(),
    ]
    .concat()
    .replace('\n', "\r\n");
    fs::write(&bundle, text).unwrap();
    host.fetch().env("BAO_CACERT", &bundle).succeed();
}

#[test]
fn a_server_that_speaks_no_tls_is_told() {
    testkit::require_bao!();
    let host = Host::new("plain-server");
    let https = host.server.address().replace("http:", "https:");
    let output = host
        .fetch()
        .address(https)
        .env("BAO_SKIP_VERIFY", "1")
        .deadline("3s")
        .run();
    insta::assert_snapshot!(output, @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao's certificate is not verified: whoever can answer in its place reads every secret
    error: `hosts/plain-server/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: it does not speak TLS (`http://`?); no cache available

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, and an address that its certificate names
    ");
}

#[test]
fn a_server_that_speaks_only_tls_is_told() {
    testkit::require_bao!();
    let host =
        host_with(Certificate::Good, "tls-server").with_cached(&json!({ "password": "hunter2" }));
    let http = host.server.address().replace("https:", "http:");
    insta::assert_snapshot!(host.fetch().address(&http).deadline("3s").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/tls-server/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: TLS failed: it takes encrypted connections only (`https://`); no cache available

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, and an address that its certificate names
    ");
    let output = host.fetch().address(&http).cached().run();
    assert_eq!(output.code(), Some(0), "{output}");
}

#[test]
fn a_connection_that_breaks_in_the_handshake_is_tried_again() {
    testkit::require_bao!();
    let host = host_with(Certificate::Good, "handshake");
    let proxy = Proxy::to(&host.server.address());
    proxy
        .first(1, Trouble::Close)
        .first(2, Trouble::Truncate(100));
    host.fetch().through(&proxy).succeed();
    assert!(proxy.connections() >= 3, "{}", proxy.connections());
}

#[test]
fn without_a_bundle_the_systems_authorities_count() {
    testkit::require_bao!();
    let host = Host::new("system-roots");
    let tls = Server::builder().tls(Certificate::Good).start();
    let output = host.fetch().address(tls.address()).deadline("3s").run();
    assert!(matches!(output.code(), Some(1 | 2)), "{output}");
    drop(shared_server());
}
