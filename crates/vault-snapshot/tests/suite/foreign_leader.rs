//! Standbys that name a foreign active node, which gets no credentials.

use std::path::Path;

use serde_json::json;
use zts_testkit::{CertificateAuthority, Fault, Proxy, Run, Server, find_leak, scratch_dir};

use crate::site::{self, vault_snapshot};

/// Lets the server behind `proxy` name `leader` as the active node.
fn name_leader(proxy: &Proxy, leader: &str) {
    let answer = json!({ "ha_enabled": true, "is_self": false, "leader_address": leader });
    let answer = Fault::Body(answer.to_string());
    proxy.clear_faults().on("sys/leader", answer);
}

/// Returns the server's address with the host `localhost`, which differs from 127.0.0.1.
fn other_host_address(proxy: &Proxy) -> String {
    proxy.address().replace("127.0.0.1", "localhost")
}

/// Runs `save` with a token and with AppRole credentials, and checks that neither is printed.
fn save_with_each_login(
    server: &Server,
    address: &str,
    more: &[(&str, String)],
    folder: &Path,
) -> Vec<(Run, Vec<String>)> {
    server.enable_approle();
    let policy = "path \"nothing\" {\n  capabilities = [\"read\"]\n}\n";
    site::approle(server, "astray", policy, folder);
    let secret = std::fs::read_to_string(folder.join("secret-id")).unwrap();
    let save = || {
        let run = vault_snapshot(&["save", "--retry-timeout", "1s", "--dir"])
            .arg(folder.join("snapshots"))
            .env("BAO_ADDR", address);
        more.iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    };
    let token = save().env("BAO_TOKEN", server.root_token());
    let approle = save()
        .args(["--auth", "approle", "--approle-dir"])
        .arg(folder);
    vec![
        (token, vec![server.root_token().to_owned()]),
        (approle, vec![secret]),
    ]
}

#[test]
fn no_credentials_go_to_a_foreign_leader() {
    zts_testkit::require_bao!();
    let server = Server::builder().raft().start();
    let folder = scratch_dir();
    let certificates = CertificateAuthority::new();
    let authority = certificates.ca_certificate().display().to_string();
    let (open, other) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    let (closed, closed_other) = (
        Proxy::with_tls(&server.address(), &certificates.issue()),
        Proxy::with_tls(&server.address(), &certificates.issue()),
    );
    let ca = ("BAO_CACERT", authority.clone());
    let everybodys = ("SSL_CERT_FILE", authority);
    let nobodys = ("BAO_SKIP_VERIFY", "true".to_owned());
    let long = format!("https://{}:1", "a".repeat(600));
    for (standby, leader, settings, message) in [
        (
            &open,
            other_host_address(&other),
            None,
            "is not a configured address",
        ),
        (&open, closed_other.address(), None, "are not encrypted"),
        (&closed, other.address(), Some(&ca), "is not encrypted"),
        (
            &closed,
            other_host_address(&other),
            Some(&ca),
            "is not encrypted",
        ),
        (
            &closed,
            other_host_address(&closed_other),
            Some(&everybodys),
            "is not a configured address",
        ),
        (
            &closed,
            other_host_address(&closed_other),
            Some(&nobodys),
            "is not a configured address",
        ),
        (
            &open,
            "http://a@localhost:1".to_owned(),
            None,
            "no active server",
        ),
        (
            &open,
            "http://\u{1b}[2J:1".to_owned(),
            None,
            "is not OpenBao's",
        ),
        (&open, long, None, "is not OpenBao's"),
    ] {
        name_leader(standby, &leader);
        let settings: Vec<_> = settings.into_iter().cloned().collect();
        for (run, secrets) in save_with_each_login(&server, &standby.address(), &settings, &folder)
        {
            let output = run.run();
            assert_eq!(output.code(), Some(1), "{leader}: {output}");
            assert!(output.stderr.contains(message), "{leader}: {output}");
            assert!(output.stderr.len() < 2000, "{leader}: {output}");
            for secret in secrets {
                assert_eq!(find_leak(&secret, &output.stderr), None, "{output}");
            }
        }
        for hit in standby.requests() {
            let has_token = hit.headers.iter().any(|(name, _)| name == "x-vault-token");
            assert!(
                !has_token && !hit.path.contains("login"),
                "{leader}: {hit:?}"
            );
        }
    }
    assert_eq!(other.connections() + closed_other.connections(), 0);
}

#[test]
fn a_foreign_leader_does_not_prevent_a_snapshot() {
    zts_testkit::require_bao!();
    let server = Server::builder().raft().start();
    let folder = scratch_dir();
    let (honest, lying) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    name_leader(&honest, &server.address());
    name_leader(&lying, "http://localhost:1");
    for addresses in [[&honest, &lying], [&lying, &honest]] {
        let addresses = addresses.map(Proxy::address).join(",");
        for (run, _) in save_with_each_login(&server, &addresses, &[], &folder)
            .into_iter()
            .take(1)
        {
            let output = run.run();
            assert_eq!(output.code(), Some(0), "{addresses}: {output}");
        }
    }
}

#[test]
fn an_error_that_repeats_the_request_prints_no_credentials() {
    zts_testkit::require_bao!();
    let server = Server::builder().raft().start();
    let folder = scratch_dir();
    for path in ["auth/approle/login", "sys/storage/raft/snapshot", "canary"] {
        for trouble in [400, 403, 500]
            .into_iter()
            .flat_map(|status| [Fault::Echo(status), Fault::EchoBody(status)])
        {
            let proxy = Proxy::to(&server.address());
            proxy.on(path, trouble.clone());
            for (run, secrets) in save_with_each_login(&server, &proxy.address(), &[], &folder) {
                let run = run.args(["--canary", "secret/canary"]);
                let output = run.env("BAO_LOG_LEVEL", "trace").run();
                assert_ne!(output.code(), Some(2), "{output}");
                output.assert_reports("TRACE HTTP exchange");
                let printed = format!("{}{}", output.stdout, output.stderr);
                for secret in secrets {
                    assert_eq!(
                        find_leak(&secret, &printed),
                        None,
                        "{path} {trouble:?}: {printed}"
                    );
                }
                for hit in proxy.requests() {
                    let token = hit.headers.iter().find(|(name, _)| name == "x-vault-token");
                    let shown = token.and_then(|(_, token)| find_leak(token, &printed));
                    assert_eq!(shown, None, "{path} {trouble:?}: {printed}");
                }
            }
        }
    }
}
