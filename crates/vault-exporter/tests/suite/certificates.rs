//! Metrics of certificates.

use std::{fs, time::SystemTime};

use zts_testkit::{CertificateKind, Server};

use crate::{Exporter, run};

#[test]
fn expiry_needs_no_token() {
    zts_testkit::require_bao!();
    let server = Server::builder().tls(CertificateKind::Valid).start();
    let node = format!("--node=a={}", server.address());
    let exporter = Exporter::start(run(&[&node]).server(&server));
    let page = exporter.scrape();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let moment = |name: &str| {
        page.node(&format!("certificate_{name}_timestamp_seconds"), "a")
            .unwrap()
    };
    assert!(
        moment("not_before") <= now && now < moment("not_after"),
        "{}",
        page.text
    );
    let authority = page.value("vault_ca_not_after_timestamp_seconds", None);
    assert!(authority.unwrap() > 0.0);
}

#[test]
fn an_unreachable_node_keeps_its_last_expiry() {
    zts_testkit::require_bao!();
    let mut server = Server::builder().tls(CertificateKind::Valid).start();
    let node = format!("--node=a={}", server.address());
    let exporter = Exporter::start(run(&[&node]).server(&server));
    let name = "certificate_not_after_timestamp_seconds";
    let before = exporter.scrape().node(name, "a");
    assert!(before.is_some());
    server.kill();
    let page = exporter.scrape();
    assert_eq!(page.node("up", "a"), Some(0));
    assert_eq!(page.node(name, "a"), before);
}

#[test]
fn untrusted_certificates_are_tls_failures() {
    zts_testkit::require_bao!();
    for shown in [
        CertificateKind::Expired,
        CertificateKind::WrongName,
        CertificateKind::UnknownAuthority,
    ] {
        let server = Server::builder().tls(shown).start();
        let node = format!("--node=a={}", server.address());
        let output = run(&[&node, "--once"]).server(&server).run();
        output.assert_prints("vault_node_trouble{node=\"a\",reason=\"tls\"} 1\n");
        let careless = run(&[&node, "--once", "--skip-verify"]).run();
        careless.assert_prints("vault_node_up{node=\"a\"} 1\n");
        careless.assert_reports("not verified");
    }
}

/// CAs are replaced on schedule. A damaged bundle fails scrapes and does not end the exporter.
#[test]
fn the_bundle_is_read_at_each_scrape() {
    zts_testkit::require_bao!();
    let server = Server::builder().tls(CertificateKind::Valid).start();
    let folder = zts_testkit::scratch_dir();
    let bundle = folder.join("ca.pem");
    let good = fs::read(server.ca_certificate().unwrap()).unwrap();
    fs::write(&bundle, &good).unwrap();
    let node = format!("--node=a={}", server.address());
    let mut exporter = Exporter::start(run(&[&node, "--ca-certificate", bundle.to_str().unwrap()]));
    assert_eq!(exporter.scrape().node("up", "a"), Some(1));
    for damaged in [&b"nonsense"[..], &good[..good.len() / 2]] {
        fs::write(&bundle, damaged).unwrap();
        let page = exporter.scrape();
        assert_eq!(page.node("up", "a"), Some(0), "{}", page.text);
        assert!(page.text.contains("reason=\"tls\""), "{}", page.text);
    }
    fs::write(&bundle, &good).unwrap();
    assert_eq!(exporter.scrape().node("up", "a"), Some(1));
    assert!(exporter.process.is_running());
}
