//! Certificates of the SSH engine for a host's key.

use std::fs;

use serde_json::json;

use crate::{host::Fetch, sources::EngineHost};

/// Public keys of hosts.
const HOST_KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ/w049T4Z28NiR7ivGvspSEJqPGtj5YbmMaHCi2oSXk",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAJgzAyfcyb7SAaO4hD0J0iPk/wVFdE79oY0bV709Xl3",
];

/// A host with the right to an SSH engine, and its key.
fn ssh_host(name: &str) -> EngineHost {
    let host = EngineHost::new(name);
    let mount = host.pki.replace("pki", "ssh");
    host.host.server.enable_engine(&mount, "ssh");
    host.host.server.allow_engine(name, &mount);
    let server = &host.host.server;
    server.write(
        &format!("{mount}/config/ca"),
        &json!({ "generate_signing_key": true, "key_type": "ed25519" }),
    );
    let role = json!({
        "key_type": "ca", "allow_host_certificates": true, "allowed_domains": "example.org",
        "allow_subdomains": true, "ttl": "720h",
    });
    server.write(&format!("{mount}/roles/host"), &role);
    let users = json!({ "key_type": "ca", "allow_user_certificates": true, "allowed_users": "*" });
    server.write(&format!("{mount}/roles/user"), &users);
    fs::write(host.host.path("key.pub"), HOST_KEYS[0]).unwrap();
    host
}

fn ssh_certificate<'a>(host: &'a EngineHost, role: &str, name: &str) -> Fetch<'a> {
    let mount = host.pki.replace("pki", "ssh");
    host.host
        .fetch_of(&format!("{mount}/sign/{role}"))
        .args(["--source", "ssh", "--principal", name, "--public-key"])
        .args([host.host.path("key.pub")])
}

#[test]
fn a_certificate_of_the_ssh_key_is_renewed_for_another_key() {
    zts_testkit::require_bao!();
    let host = ssh_host("ssh");
    let fetch = || ssh_certificate(&host, "host", "web01.example.org").cached();
    fetch().succeed_silently();
    let first = host.file("cert.pub");
    let parsed = ssh_key::Certificate::from_openssh(first.trim_end()).unwrap();
    assert_eq!(parsed.valid_principals(), ["web01.example.org"]);
    assert!(parsed.cert_type().is_host());
    let own = ssh_key::PublicKey::from_openssh(HOST_KEYS[0]).unwrap();
    assert_eq!(parsed.public_key(), own.key_data());
    // it stays, also without OpenBao and after a boot
    let refused = zts_testkit::closed_port();
    fetch().address(refused.address()).succeed_silently();
    fs::remove_dir_all(host.host.path("secrets")).unwrap();
    fetch().address(refused.address()).succeed_silently();
    assert_eq!(host.file("cert.pub"), first);
    // a new key needs a new certificate, which the copy is not
    fs::write(host.host.path("key.pub"), HOST_KEYS[1]).unwrap();
    let cut_off = fetch().deadline("1s").address(refused.address()).run();
    cut_off
        .assert_status(1)
        .assert_reports("no certificate of this host");
    fetch().succeed_silently();
    assert_ne!(host.file("cert.pub"), first);
}

#[test]
fn a_refused_certificate_of_the_ssh_key_is_explained() {
    zts_testkit::require_bao!();
    let host = ssh_host("ssh-refused");
    for (role, name, message, hint) in [
        (
            "host",
            "web01.example.com",
            "valid_principals",
            "allowed_domains",
        ),
        (
            "user",
            "web01.example.org",
            "cert_type",
            "allow_host_certificates=true",
        ),
        ("absent", "web01.example.org", "Unknown role", "bao list"),
    ] {
        let output = ssh_certificate(&host, role, name).run().assert_status(1);
        output.assert_reports(message);
        output.assert_reports(hint);
    }
    fs::remove_file(host.host.path("key.pub")).unwrap();
    let output = ssh_certificate(&host, "host", "web01.example.org").run();
    let output = output.assert_status(1);
    output.assert_reports("cannot be asked for");
    output.assert_reports("ssh-keygen -A");
}
