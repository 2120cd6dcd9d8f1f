//! Secrets of other engines than KV.

use std::fs;

use serde_json::json;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::host::{Fetch, Host};

/// A host with the right to use PKI and SSH engines of its own.
pub(crate) struct EngineHost {
    pub(crate) host: Host,
    /// The mount of the PKI engine.
    pub(crate) pki: String,
}

impl EngineHost {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(Host::new(name))
    }

    fn on(host: Host) -> Self {
        let pki = format!("pki-{}", host.name);
        host.server.enable_pki(&pki);
        host.server.allow_engine(&host.name, &pki);
        Self { host, pki }
    }

    /// Prepares a fetch of a certificate by a role.
    fn certificate(&self, role: &str) -> Fetch<'_> {
        self.host
            .fetch_of(&format!("{}/sign/{role}", self.pki))
            .args(["--source", "pki", "--common-name", "web01.example.org"])
    }

    fn read(&self, path: &str) -> Fetch<'_> {
        self.host.fetch_of(path).args(["--source", "read"])
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.host.files()[name].clone()
    }
}

fn certificates(text: &str) -> Vec<Vec<u8>> {
    let found = pem::parse_many(text).unwrap();
    found.into_iter().map(pem::Pem::into_contents).collect()
}

#[test]
fn a_certificate_is_signed_for_a_key_of_the_host() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("pki-signed");
    host.certificate("web")
        .args(["--alt-name", "WWW.example.org", "--alt-name", "10.0.0.11"])
        .args(["--ttl", "24h"])
        .succeed_silently();
    let names: Vec<_> = host.host.files().into_keys().collect();
    let expected = [
        "ca.pem",
        "cert.pem",
        "chain.pem",
        "full.pem",
        "fullchain.pem",
        "key.pem",
    ];
    assert_eq!(names, expected);
    let own = certificates(&host.file("cert.pem")).remove(0);
    let authority = certificates(&host.file("ca.pem")).remove(0);
    let (_, own) = X509Certificate::from_der(&own).unwrap();
    let (_, authority) = X509Certificate::from_der(&authority).unwrap();
    own.verify_signature(Some(authority.public_key())).unwrap();
    let subject = own.subject().to_string();
    assert_eq!(subject, "CN=web01.example.org");
    let names = own.subject_alternative_name().unwrap().unwrap();
    let names = format!("{:?}", names.value.general_names).to_lowercase();
    for name in ["web01.example.org", "www.example.org", "[10, 0, 0, 11]"] {
        assert!(names.contains(name), "{names}");
    }
    let seconds = own.validity().not_after.timestamp() - own.validity().not_before.timestamp();
    assert!((86_400..=86_460).contains(&seconds), "{seconds}");
    // the root is not sent by a server, and the key is where one file has both
    let certificate = host.file("cert.pem");
    assert_eq!(host.file("fullchain.pem"), certificate);
    let full = certificate + &host.file("key.pem");
    assert_eq!(host.file("full.pem"), full);
}

/// The key is nowhere but in the files of the secret.
#[test]
fn a_certificate_that_is_not_due_stays_without_a_request() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("pki-stays");
    host.certificate("web").cached().succeed_silently();
    let before = host.host.files();
    let refused = zts_testkit::closed_port();
    let again = || host.certificate("web").cached().address(refused.address());
    again().succeed_silently();
    assert_eq!(host.host.files(), before);
    // after a boot, it comes from the copy
    fs::remove_dir_all(host.host.path("secrets")).unwrap();
    again().succeed_silently();
    assert_eq!(host.host.files(), before);
    // another time is for the next one
    again().args(["--ttl", "48h"]).succeed_silently();
    assert_eq!(host.host.files(), before);
    // another name needs another certificate, another order of names does not
    let with_names = |names: [&str; 2]| {
        let names = names.map(|name| format!("--alt-name={name}"));
        host.certificate("web").args(names).cached()
    };
    with_names(["a.example.org", "b.example.org"]).succeed_silently();
    let second = host.host.files();
    assert_ne!(second["key.pem"], before["key.pem"]);
    let reordered = with_names(["b.example.org", "a.example.org"]);
    reordered.address(refused.address()).succeed_silently();
    assert_eq!(host.host.files(), second);
}

/// OpenBao dates a certificate back by 30 seconds, so one for few seconds is due at once.
#[test]
fn a_certificate_that_is_due_is_replaced_and_used_while_openbao_is_down() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("pki-due");
    let fetch = || host.certificate("web").args(["--ttl", "8s"]).cached();
    fetch().succeed_silently();
    let first = host.file("key.pem");
    fetch().succeed_silently();
    let second = host.file("key.pem");
    assert_ne!(first, second);
    let refused = zts_testkit::closed_port();
    let cut_off = || fetch().deadline("1s").address(refused.address()).run();
    cut_off().assert_success();
    assert_eq!(host.file("key.pem"), second);
    zts_testkit::wait_for("the certificate has expired", || {
        let certificate = certificates(&host.file("cert.pem")).remove(0);
        let (_, certificate) = X509Certificate::from_der(&certificate).unwrap();
        (!certificate.validity().is_valid()).then_some(())
    });
    fs::remove_dir_all(host.host.path("secrets")).unwrap();
    let output = cut_off();
    let output = output.assert_status(1);
    output.assert_reports("the cached copy cannot be used: its certificate has expired");
    assert!(host.host.files().is_empty());
}

/// The role was deleted, or the host lost its rights: it has the certificate already.
#[test]
fn a_certificate_is_used_to_its_end_where_another_one_is_refused() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("pki-denied");
    let fetch = || host.certificate("web").args(["--ttl", "8s"]);
    fetch().succeed_silently();
    let first = host.file("key.pem");
    host.host.server.delete(&format!("{}/roles/web", host.pki));
    let output = fetch().run().assert_success();
    output.assert_reports("unknown role: web; the certificate stays, and expires in ");
    assert_eq!(host.file("key.pem"), first);
    zts_testkit::wait_for("the certificate has expired", || {
        let output = fetch().run();
        (output.code() == Some(1)).then_some(())
    });
}

#[test]
fn a_refusal_names_the_parameter() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("pki-refused");
    let role = |name: &str, settings| {
        host.host
            .server
            .write(&format!("{}/roles/{name}", host.pki), &settings);
    };
    role(
        "others",
        json!({ "allowed_domains": "example.com", "key_type": "any" }),
    );
    role("rsa", json!({ "allow_any_name": true, "key_type": "rsa" }));
    role(
        "leased",
        json!({ "allow_any_name": true, "key_type": "any", "generate_lease": true, "ttl": "1h" }),
    );
    role(
        "long",
        json!({ "allow_any_name": true, "key_type": "any", "ttl": "90000h" }),
    );
    for (name, message, hint) in [
        (
            "others",
            "web01.example.org not allowed by this role",
            "allowed_domains",
        ),
        ("rsa", "role requires keys of type rsa", "key_type=any"),
        (
            "leased",
            "with a lease, which a host cannot hold",
            "generate_lease=false",
        ),
        ("absent", "unknown role: absent", "bao list"),
        ("long", "beyond the expiration of the CA", "`ttl`"),
    ] {
        let output = host.certificate(name).run();
        assert_eq!(output.code(), Some(1), "{name}: {output}");
        output.assert_reports(message);
        output.assert_reports(hint);
        let login = host
            .certificate(name)
            .args(["--authentication", "login"])
            .run();
        assert_eq!(login.code(), Some(1), "{name}: {login}");
        login.assert_reports(message);
    }
    assert!(host.host.files().is_empty());
}

#[test]
fn an_answer_of_any_engine_becomes_files() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("read");
    let mounted = host.pki.replace("pki", "kv");
    host.host.server.enable_engine(&mounted, "kv");
    host.host.server.allow_engine(&host.host.name, &mounted);
    let put = |values| host.host.server.write(&format!("{mounted}/app"), &values);
    put(json!({ "user": "app", "port": 5432 }));
    let path = format!("{mounted}/app");
    let version = || {
        let note = fs::read(host.host.path("secrets/.db.vault-fetch/written")).unwrap();
        let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
        note["version"].as_u64().unwrap()
    };
    for (values, number) in [
        (json!({ "user": "app", "port": 5432 }), 1),
        (json!({ "user": "app", "port": 5433 }), 2),
        (json!({ "user": "app", "port": 5432 }), 1),
        (json!({ "user": "app2", "port": 5432 }), 3),
    ] {
        put(values.clone());
        for _ in 0..2 {
            host.read(&path).cached().succeed_silently();
            assert_eq!(version(), number, "{values}");
        }
        assert_eq!(host.file("user"), values["user"]);
        assert_eq!(host.file("port"), values["port"].to_string());
    }
    // the same answer has the same number with other credentials, too
    let credentials = host.host.server.issue_secret_id(&host.host.name);
    credentials.write_to(&host.host.path("approle"));
    host.read(&path).cached().succeed_silently();
    assert_eq!(version(), 3);
    // the copy stands in for OpenBao
    let refused = zts_testkit::closed_port();
    fs::remove_dir_all(host.host.path("secrets")).unwrap();
    let cut_off = host
        .read(&path)
        .cached()
        .deadline("1s")
        .address(refused.address());
    cut_off.run().assert_success();
    assert_eq!(host.file("user"), "app2");
    // nothing on disk tells the values
    assert!(
        host.host
            .files_with("app2")
            .iter()
            .all(|file| { file.starts_with("secrets") || file.ends_with("secret.json") })
    );
}

#[test]
fn what_is_not_there_is_told() {
    zts_testkit::require_bao!();
    let host = EngineHost::new("read-absent");
    let mounted = host.pki.replace("pki", "kv");
    host.host.server.enable_engine(&mounted, "kv");
    host.host.server.allow_engine(&host.host.name, &mounted);
    for (path, message) in [
        (format!("{mounted}/none"), "OpenBao has nothing at"),
        ("sys/auth".to_owned(), "OpenBao denied `sys/auth`"),
    ] {
        let output = host.read(&path).run();
        let output = output.assert_status(1);
        output.assert_reports(message);
    }
    for (source, flags) in [
        ("read", ["--secret-version", "3"]),
        ("read", ["--common-name", "a.example.org"]),
        ("kv", ["--ttl", "24h"]),
    ] {
        let fetch = host.host.fetch_of("a/b").args(["--source", source]);
        let output = fetch.args(flags).run().assert_status(2);
        output.assert_reports(&format!("`{}` is not for this source", flags[0]));
    }
    let usage = host
        .host
        .fetch_of("pki/sign/web")
        .args(["--source", "pki"])
        .run();
    let usage = usage.assert_status(2);
    usage.assert_reports("--common-name");
}

#[test]
fn hashicorp_vault_signs_certificates_too() {
    zts_testkit::require_bao!();
    let server = zts_testkit::Server::builder().start();
    let host = EngineHost::on(Host::on(server, "pki-vault").on_vault());
    host.certificate("web").succeed_silently();
    assert!(host.file("cert.pem").starts_with("-----BEGIN CERTIFICATE"));
}
