//! The servers are real, and end.
#![expect(
    clippy::unwrap_used,
    reason = "what the helpers below cannot do fails their test"
)]

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use zts_openbao::{Authentication, Client, Error, Settings, Trust, kv, sys};
use zts_testkit::{CertificateKind, HostCredentials, Server};

fn settings(server: &Server) -> Settings {
    let mut settings = Settings::new(vec![server.address().parse().unwrap()]);
    settings.request_timeout = zts_testkit::scale_timeout(Duration::from_secs(3));
    if let Some(authority) = server.ca_certificate() {
        settings.trust = Trust::Bundle(authority);
    }
    settings
}

fn client_of(server: &Server, host: &HostCredentials) -> Client {
    let credentials = zts_openbao::AppRoleCredentials {
        role_id: host.role_id.as_str().into(),
        secret_id: host.secret_id.as_str().into(),
    };
    let mut client = Client::new(settings(server)).unwrap();
    client.authenticate(Authentication::Inline {
        mount: "approle".to_owned(),
        credentials,
    });
    client
}

fn is_alive(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

#[test]
fn a_host_reads_its_own_secrets_and_no_others() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let host = server.add_host("web01");
    server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    server.put_secret("hosts/web02/db", &json!({ "password": "another's" }));
    let client = client_of(&server, &host);
    assert_eq!(
        kv::read(&client, "secret", "hosts/web01/db")
            .unwrap()
            .metadata
            .version,
        1
    );
    assert!(matches!(
        kv::read(&client, "secret", "hosts/web02/db"),
        Err(Error::Denied { .. })
    ));
    assert_eq!(
        kv::list_detailed(&client, "secret", "hosts/web01")
            .unwrap()
            .len(),
        1
    );
}

/// OpenBao writes a snapshot to a temporary file first, and leaves that where it is killed.
#[test]
fn its_temporary_files_are_in_its_own_folder() {
    zts_testkit::require_bao!();
    let server = Server::builder().start();
    let variables = fs::read(format!("/proc/{}/environ", server.process_id().unwrap()));
    let variables = String::from_utf8(variables.unwrap()).unwrap();
    let wanted = format!("TMPDIR={}", server.folder().display());
    assert!(variables.split('\0').any(|found| found == wanted));
}

#[test]
fn secrets_are_deleted_and_destroyed_and_forgotten() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let client = client_of(&server, &server.add_host("web01"));
    let read = || kv::read(&client, "secret", "hosts/web01/db");
    for _ in 0..2 {
        server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    }
    server.delete_version("hosts/web01/db");
    assert!(matches!(read(), Err(Error::Deleted { version: 2, .. })));
    server.destroy_version("hosts/web01/db", 2);
    assert!(matches!(read(), Err(Error::Destroyed { version: 2, .. })));
    server.delete_metadata("hosts/web01/db");
    assert!(matches!(read(), Err(Error::NotFound { .. })));
    server.delete_role("web01");
    assert!(matches!(read(), Err(Error::LoginRefused { .. })));
}

#[test]
fn tokens_and_leases_that_are_left_behind_show() {
    zts_testkit::require_bao!();
    let server = Server::builder().audit().start();
    let host = server.add_host("web01");
    server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    let before = server.tokens_and_leases();
    assert_eq!(
        before.token_accessors.len(),
        1,
        "the root token's: {before:?}"
    );
    kv::read(&client_of(&server, &host), "secret", "hosts/web01/db").unwrap();
    assert_eq!(
        server.tokens_and_leases(),
        before,
        "an inline login leaves nothing"
    );
    let asked = server.audited_requests();
    let reads = asked
        .iter()
        .filter(|asked| asked.path == "secret/data/hosts/web01/db" && asked.operation == "read");
    assert_eq!(reads.count(), 1);

    server.write("auth/token/create", &json!({ "ttl": "1h" }));
    let after = server.tokens_and_leases();
    assert_eq!(after.token_accessors.len(), 2);
    assert_eq!(after.leases.len(), before.leases.len() + 1, "{after:?}");
}

#[test]
fn wrapping_tokens_are_used_up_by_unwrapping() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let token = server
        .wrap_credentials(&server.add_host("web01"), Duration::from_secs(60))
        .into();
    let client = Client::new(settings(&server)).unwrap();
    assert_eq!(
        zts_openbao::wrapping::lookup(&client, &token)
            .unwrap()
            .creation_path,
        "sys/wrapping/wrap"
    );
    zts_openbao::wrapping::unwrap::<serde_json::Value>(&client, &token).unwrap();
    zts_openbao::wrapping::unwrap::<serde_json::Value>(&client, &token).unwrap_err();

    server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    let other = server
        .wrap_read("secret/data/hosts/web01/db", Duration::from_secs(60))
        .into();
    assert_eq!(
        zts_openbao::wrapping::lookup(&client, &other)
            .unwrap()
            .creation_path,
        "secret/data/hosts/web01/db"
    );
}

#[test]
fn without_inline_authentication_such_a_request_is_denied() {
    zts_testkit::require_bao!();
    let server = Server::builder()
        .inline_auth(false)
        .tls(CertificateKind::Valid)
        .start();
    let host = server.add_host("web01");
    server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    let mut client = client_of(&server, &host);
    assert!(matches!(
        kv::read(&client, "secret", "hosts/web01/db"),
        Err(Error::Denied { .. })
    ));
    let credentials = zts_openbao::AppRoleCredentials {
        role_id: host.role_id.into(),
        secret_id: host.secret_id.into(),
    };
    let token = zts_openbao::approle::login(&client, "approle", &credentials).unwrap();
    client.authenticate(Authentication::Token(token));
    kv::read(&client, "secret", "hosts/web01/db").unwrap();
}

#[test]
fn a_good_certificate_is_trusted_and_the_others_are_not() {
    zts_testkit::require_bao!();
    let asked = |certificate| {
        let server = Server::builder().tls(certificate).start();
        assert!(server.address().starts_with("https://"));
        sys::seal_status(&Client::new(settings(&server)).unwrap()).map(|status| status.sealed)
    };
    assert!(!asked(CertificateKind::Valid).unwrap());
    for bad in [
        CertificateKind::WrongName,
        CertificateKind::Expired,
        CertificateKind::UnknownAuthority,
    ] {
        let error = asked(bad).unwrap_err();
        assert!(error.to_string().contains("TLS failed"), "{bad:?}: {error}");
    }
}

#[test]
fn a_server_is_sealed_paused_and_stopped() {
    zts_testkit::require_bao!();
    let mut server = Server::dev();
    let client = client_of(&server, &server.add_host("web01"));
    let trouble = || {
        kv::read(&client, "secret", "hosts/web01/db")
            .unwrap_err()
            .to_string()
    };
    server.seal();
    assert!(trouble().contains("sealed"), "{}", trouble());
    server.unseal();
    assert!(trouble().contains("nothing"), "{}", trouble());
    server.pause();
    assert!(trouble().contains("no answer within"), "{}", trouble());
    server.resume();
    assert!(trouble().contains("nothing"), "{}", trouble());
    server.stop();
    assert!(trouble().contains("refused"), "{}", trouble());
}

#[test]
fn raft_storage_outlives_a_restart_and_a_power_cut() {
    zts_testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    let (address, host) = (server.address(), server.add_host("web01"));
    server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    server.restart();
    kv::read(&client_of(&server, &host), "secret", "hosts/web01/db").unwrap();
    server.kill();
    server.restart();
    kv::read(&client_of(&server, &host), "secret", "hosts/web01/db").unwrap();
    assert_eq!(server.address(), address);
}

#[test]
fn a_server_ends_and_leaves_nothing_also_when_its_test_panics() {
    zts_testkit::require_bao!();
    let (sender, started) = std::sync::mpsc::channel();
    let panicking = std::thread::spawn(move || {
        let mut server = Server::dev();
        server.pause();
        sender
            .send((server.process_id().unwrap(), server.folder().to_owned()))
            .unwrap();
        panic!("on purpose");
    });
    let (id, folder) = started.recv().unwrap();
    panicking.join().unwrap_err();
    assert!(!is_alive(id) && !folder.exists());
}

#[test]
fn many_servers_start_at_once() {
    zts_testkit::require_bao!();
    let starting: Vec<_> = (0..6).map(|_| std::thread::spawn(Server::dev)).collect();
    let servers: Vec<_> = starting
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    for server in &servers {
        server.put_secret("mine", &json!({ "address": server.address() }));
    }
    for server in &servers {
        assert_eq!(
            server.read("secret/data/mine").unwrap()["data"]["address"],
            json!(server.address())
        );
    }
}

#[test]
fn credentials_are_written_as_on_a_host() {
    let folder = zts_testkit::scratch_dir();
    let credentials = HostCredentials {
        role_id: "r".to_owned(),
        secret_id: "s".to_owned(),
        accessor: "a".to_owned(),
    };
    credentials.write_to(&folder);
    assert_eq!(fs::read_to_string(folder.join("role-id")).unwrap(), "r");
    assert_eq!(fs::read_to_string(folder.join("secret-id")).unwrap(), "s");
}

#[test]
fn a_test_without_bao_is_skipped_by_name() {
    let name = "a_host_reads_its_own_secrets_and_no_others";
    let run = zts_testkit::Run::new(std::env::current_exe().unwrap());
    let output = run
        .args(["--exact", name])
        .env("PATH", "/nonexistent")
        .env("XDG_CACHE_HOME", "/nonexistent")
        .run();
    assert_eq!(
        output.stderr,
        format!("skipped: server::{name}: no bao on this machine\n")
    );
    output.assert_success();
}
