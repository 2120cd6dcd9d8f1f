//! Certificates: verified unless a flag disables that.

use std::{fs, path::Path};

use serde_json::json;
use zts_testkit::{
    CertificateAuthority, CertificateKind, Fault, Proxy, RunOutput, Server, ServerCertificate,
};

use crate::host::{Host, files, shared_server};

fn host_with(certificate: CertificateKind, name: &str) -> Host {
    let host = Host::on(Server::builder().tls(certificate).start(), name);
    host.put(&json!({ "password": "hunter2" }));
    host
}

/// The server is not tried again.
fn refused(host: &Host) -> RunOutput {
    let output = host.fetch().deadline("20s").run();
    assert!(output.time.as_secs() < 10, "{:?}", output.time);
    assert!(!host.output().exists());
    output
}

#[test]
fn a_certificate_from_another_authority() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::UnknownAuthority, "other-ca");
    insta::assert_snapshot!(refused(&host), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/other-ca/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is not signed by a trusted CA; no cache available

    hint: give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, and an address that its certificate names; see `docs/runbook/certificate-expired.md#the-hosts-ca-certificates`
    ");
}

#[test]
fn a_certificate_for_another_name() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::WrongName, "other-name");
    insta::assert_snapshot!(refused(&host), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/other-name/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is for another name; no cache available

    hint: give an address that OpenBao's certificate names (`openssl s_client -connect HOST:PORT`), or make one with this name, as `subjectAltName`; see `docs/runbook/no-cache.md`
    ");
}

#[test]
fn a_certificate_that_has_expired() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Expired, "expired");
    insta::assert_snapshot!(refused(&host), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/expired/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate has expired; no cache available

    hint: renew OpenBao's certificate, or the CA's above it; or is this machine's clock fast (`date`)? See `docs/runbook/certificate-expired.md`
    ");
}

/// Creates a server without TLS behind a proxy with this certificate, and a host that trusts
/// `trusted`.
fn shown(host: &Host, certificate: &ServerCertificate, trusted: &Path) -> RunOutput {
    let proxy = Proxy::with_tls(&host.server.address(), certificate);
    let fetch = host.fetch().through(&proxy).deadline("2s");
    fetch.env("BAO_CACERT", trusted).run()
}

#[test]
fn a_certificate_that_is_not_valid_yet() {
    zts_testkit::require_bao!();
    let host = Host::new("not-yet");
    let certificates = CertificateAuthority::new();
    let output = shown(
        &host,
        &certificates.issue_not_yet_valid(),
        &certificates.ca_certificate(),
    );
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/not-yet/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is not valid yet (or this clock is slow); no cache available

    hint: set this machine's clock (`date`); if it is right, OpenBao's certificate begins later; see `docs/runbook/certificate-expired.md`
    ");
}

/// The certificate of the server itself may be the trusted one, as with `curl` and `bao`.
#[test]
fn a_self_signed_certificate_that_is_the_one_trusted() {
    zts_testkit::require_bao!();
    let host = Host::new("self-signed");
    host.put(&json!({ "password": "hunter2" }));
    let certificates = CertificateAuthority::new();
    let of = |names: &[&str], year| certificates.issue_self_signed(names, year);
    let good = of(&["127.0.0.1"], 2080);
    let output = shown(&host, &good, &good.certificate);
    assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output}");
    assert_eq!(host.files(), files([("password", "hunter2")]));
    let other = of(&["127.0.0.1", "localhost"], 2080);
    for trusted in [certificates.ca_certificate(), other.certificate] {
        shown(&host, &good, &trusted).assert_failure(1, "not one of the trusted ones");
    }
    let expired = of(&["127.0.0.1"], 2022);
    let output = shown(&host, &expired, &expired.certificate);
    output.assert_reports("has expired");
    let another = of(&["another.example.internal"], 2080);
    let output = shown(&host, &another, &another.certificate);
    output.assert_reports("for another name");
}

#[test]
fn without_verifying_each_run_warns() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Expired, "unverified");
    for fetch in [
        host.fetch().args(["--skip-verify"]),
        host.fetch().env("VAULT_SKIP_VERIFY", "true"),
    ] {
        insta::allow_duplicates! { insta::assert_snapshot!(fetch.run(), @"
        exit status: 0
        ----- stdout -----
        ----- stderr -----
        warning: OpenBao's certificate is not verified: anybody who answers in its place reads every secret
        "); }
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

#[test]
fn the_copy_is_used_where_the_certificate_is_not_trusted() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Valid, "stand-in")
        .with_cached(&json!({ "password": "hunter2" }));
    let other = CertificateAuthority::new();
    let output = host
        .fetch()
        .cached()
        .env("BAO_CACERT", other.ca_certificate())
        .run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is not signed by a trusted CA; `hosts/stand-in/db` comes from the cache: version 2, confirmed [duration] ago
    ");
}

#[test]
fn a_bundle_that_is_missing_empty_or_garbage_is_a_wrong_configuration() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Valid, "bundle");
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
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Valid, "bundled");
    let (other, bundle) = (CertificateAuthority::new(), host.path("ca.pem"));
    let text: String = [
        "# a comment\n".to_owned(),
        fs::read_to_string(other.ca_certificate()).unwrap(),
        fs::read_to_string(other.issue().key).unwrap(),
        fs::read_to_string(host.server.ca_certificate().unwrap()).unwrap(),
    ]
    .concat()
    .replace('\n', "\r\n");
    fs::write(&bundle, text).unwrap();
    host.fetch().env("BAO_CACERT", &bundle).succeed_silently();
}

#[test]
fn a_server_without_tls_is_reported() {
    zts_testkit::require_bao!();
    let host = Host::new("plain-server");
    let https = host.server.address().replace("http:", "https:");
    let output = host
        .fetch()
        .address(https)
        .env("BAO_SKIP_VERIFY", "1")
        .deadline("3s")
        .run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao's certificate is not verified: anybody who answers in its place reads every secret
    error: `hosts/plain-server/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: it does not use TLS (`http://`?); no cache available

    hint: is it `http://` that is spoken there? See `docs/runbook/no-cache.md`
    ");
}

#[test]
fn a_server_that_requires_tls_is_reported() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Valid, "tls-server")
        .with_cached(&json!({ "password": "hunter2" }));
    let http = host.server.address().replace("https:", "http:");
    insta::assert_snapshot!(host.fetch().address(&http).deadline("3s").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/tls-server/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: TLS failed: it accepts TLS only (`https://`); no cache available

    hint: give its address with `https://`; see `docs/runbook/no-cache.md`
    ");
    host.fetch().address(&http).cached().succeed();
}

#[test]
fn a_connection_that_breaks_in_the_handshake_is_tried_again() {
    zts_testkit::require_bao!();
    let host = host_with(CertificateKind::Valid, "handshake");
    let proxy = Proxy::to(&host.server.address());
    proxy.first(1, Fault::Close).first(2, Fault::Truncate(100));
    host.fetch().through(&proxy).succeed_silently();
    assert!(proxy.connections() >= 3, "{}", proxy.connections());
}

#[test]
fn without_a_bundle_the_systems_authorities_count() {
    zts_testkit::require_bao!();
    let host = Host::new("system-roots");
    let tls = Server::builder().tls(CertificateKind::Valid).start();
    let output = host.fetch().address(tls.address()).deadline("3s").run();
    assert!(matches!(output.code(), Some(1 | 2)), "{output}");
    drop(shared_server());
}
