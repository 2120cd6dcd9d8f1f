//! A fetch of a secret from a server that answers.

use std::{fs, os::unix::fs::MetadataExt};

use serde_json::json;
use zts_testkit::{CertificateKind, Fault, Proxy, Server, is_root, mode};

use crate::host::{Host, files, on_both};

#[test]
fn each_key_becomes_a_file() {
    zts_testkit::require_bao!();
    on_both("each-key", |host| {
        host.put(&json!({ "username": "app", "password": "hunter2" }));
        host.fetch().succeed_silently();
        assert_eq!(
            host.files(),
            files([("password", "hunter2"), ("username", "app")])
        );
        assert_eq!(mode(&host.output().join("password")), "0400");
        let of_directory = if is_root() { "0500" } else { "0700" };
        assert_eq!(mode(&host.output()), of_directory);
    });
}

#[test]
fn a_fetch_is_one_request_and_leaves_nothing_on_the_server() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::builder().audit().start(), "one-request");
    host.put(&json!({ "username": "app", "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    let (before, seen) = (
        host.server.tokens_and_leases(),
        host.server.audited_requests().len(),
    );
    host.fetch().through(&proxy).cached().succeed_silently();

    assert_eq!(proxy.connections(), 1);
    let asked = || -> Vec<_> {
        let requests = proxy.requests().into_iter();
        requests.map(|request| request.path).collect()
    };
    let read = "/v1/secret/data/hosts/one-request/db";
    let once = [read, "/v1/sys/leader"]; // the first in a while also looks for the leader, on the same connection
    assert_eq!(asked(), once);
    let audited = host.server.audited_requests();
    let audited: Vec<_> = audited[seen..]
        .iter()
        .map(|asked| (asked.operation.as_str(), asked.path.as_str()))
        .collect();
    let expected = [
        ("update", "auth/approle/login"),
        ("read", "secret/data/hosts/one-request/db"),
    ];
    assert_eq!(audited, expected, "the login is part of the request");
    assert_eq!(host.server.tokens_and_leases(), before);

    host.fetch().through(&proxy).cached().succeed_silently();
    assert_eq!(asked(), [&once[..], &[read]].concat());
}

#[test]
fn over_tls_it_is_one_connection() {
    zts_testkit::require_bao!();
    let host = Host::on(
        Server::builder().tls(CertificateKind::Valid).start(),
        "over-tls",
    );
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    let before = host.server.tokens_and_leases();
    host.fetch().through(&proxy).succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
    assert_eq!(proxy.connections(), 1);
    assert_eq!(host.server.tokens_and_leases(), before);
}

#[test]
fn a_directory_that_holds_the_secret_already_is_left_alone() {
    zts_testkit::require_bao!();
    let host = Host::new("left-alone");
    host.put(&json!({ "password": "hunter2" }));
    let identity = || {
        let data = fs::metadata(host.output()).unwrap();
        (data.ino(), data.ctime(), data.ctime_nsec())
    };
    host.fetch().cached().succeed_silently();
    let before = identity();
    host.fetch().cached().succeed_silently();
    host.put(&json!({ "password": "hunter2" })); // a new version, the same content
    host.fetch().cached().succeed_silently();
    assert_eq!(identity(), before);
}

#[test]
fn a_server_without_inline_authentication_gets_a_login() {
    zts_testkit::require_bao!();
    let host = Host::new("login-first");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::StripHeaders("x-vault-inline-auth-".to_owned()));
    host.fetch().through(&proxy).succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
    let paths: Vec<_> = proxy.requests().into_iter().map(|hit| hit.path).collect();
    let read = "/v1/secret/data/hosts/login-first/db";
    assert_eq!(
        paths,
        [read, "/v1/auth/approle/login", read, "/v1/sys/leader"]
    );
    assert_eq!(proxy.connections(), 1, "all on one connection");
}

/// The first fetch finds that the server ignores inline authentication, and notes that.
#[test]
fn a_fetch_from_vault_is_two_requests_but_for_the_first() {
    zts_testkit::require_bao!();
    let host = Host::new("vault-requests").on_vault();
    host.put(&json!({ "password": "hunter2" }));
    let read = "GET /v1/secret/data/hosts/vault-requests/db";
    let login = "POST /v1/auth/approle/login";
    for expected in [&[read, login, read][..], &[login, read], &[login, read]] {
        let before = host.requests_to_vault().len();
        host.fetch().cached().succeed_silently();
        assert_eq!(host.requests_to_vault()[before..], *expected);
    }
    // a note of a day ago counts no longer: the server may be another by now
    let note = host.runtime_dir().join("server");
    let noted = fs::read_to_string(&note).unwrap();
    let mut noted: serde_json::Value = serde_json::from_str(&noted).unwrap();
    let since = noted["login_since"]["secs_since_epoch"].as_u64().unwrap();
    noted["login_since"]["secs_since_epoch"] = (since - 90_000).into();
    fs::write(&note, noted.to_string()).unwrap();
    let before = host.requests_to_vault().len();
    host.fetch().cached().succeed_silently();
    assert_eq!(host.requests_to_vault()[before..], [read, login, read]);
}

#[test]
fn also_a_login_leaves_nothing_on_the_server() {
    zts_testkit::require_bao!();
    let server = Server::builder()
        .inline_auth(false)
        .tls(CertificateKind::Valid)
        .start();
    let host = Host::on(server, "batch-token");
    host.put(&json!({ "password": "hunter2" }));
    let before = host.server.tokens_and_leases();
    host.fetch().succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
    assert_eq!(host.server.tokens_and_leases(), before);
}

#[test]
fn a_login_can_be_asked_for() {
    zts_testkit::require_bao!();
    let host = Host::new("asked-login");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    let fetch = host.fetch().through(&proxy);
    fetch.args(["--authentication", "login"]).succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
    let methods: Vec<_> = proxy.requests().into_iter().map(|hit| hit.method).collect();
    assert_eq!(
        methods,
        ["POST", "GET", "GET"],
        "the last looks for the leader"
    );
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn inline_authentication_alone_fails_where_the_server_does_not_know_it() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::builder().inline_auth(false).start(), "inline-only");
    host.put(&json!({ "password": "hunter2" }));
    let output = host.fetch().args(["--authentication", "inline"]).run();
    insta::assert_snapshot!(output, @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/inline-only/db` was not written: OpenBao denied `secret/data/hosts/inline-only/db`: permission denied

    hint: the role's `token_bound_cidrs` may leave this host's address out, or its `token_num_uses` be used up (0 sets no limit); with `--authentication inline`, the server may not know logins inside a request
    ");
    assert!(!host.output().exists());
}

#[test]
fn other_mounts_can_be_named() {
    zts_testkit::require_bao!();
    let host = Host::new("other-mounts");
    let server = &host.server;
    let settings = json!({ "type": "kv", "options": { "version": "2" } });
    server.write("sys/mounts/team/kv", &settings);
    server.write("sys/auth/team/hosts", &json!({ "type": "approle" }));
    let policy = r#"path "team/kv/data/*" { capabilities = ["read"] }"#;
    server.write_policy("other-mounts", policy);
    let role = json!({ "token_policies": ["other-mounts"], "token_type": "batch" });
    server.write("auth/team/hosts/role/other-mounts", &role);
    let role = "auth/team/hosts/role/other-mounts";
    use_role(&host, role);
    write_to_new_mount(server, "team/kv/data/db");
    for how in ["inline", "login"] {
        let fetch = host.fetch_of("db").args(["--kv-mount", "team/kv"]);
        let fetch = fetch.args(["--approle-mount", "team/hosts"]);
        fetch.args(["--authentication", how]).succeed_silently();
        assert_eq!(host.files(), files([("password", "hunter2")]));
        fs::remove_dir_all(host.output()).unwrap();
    }
}

/// Gives the host the credentials of another role.
fn use_role(host: &Host, role: &str) {
    let role_id = host.server.read(&format!("{role}/role-id")).unwrap();
    let secret_id = format!("{role}/secret-id");
    let secret_id = host.server.write(&secret_id, &json!({})).unwrap();
    for (name, value) in [
        ("role-id", &role_id["role_id"]),
        ("secret-id", &secret_id["secret_id"]),
    ] {
        fs::write(host.path("approle").join(name), value.as_str().unwrap()).unwrap();
    }
}

/// Writes a secret as soon as its mount is ready.
fn write_to_new_mount(server: &Server, path: &str) {
    zts_testkit::wait_for("the new mount is ready", || {
        let body = json!({ "data": { "password": "hunter2" } });
        let request = zts_openbao::Request::new(zts_openbao::Method::Post, path);
        let request = request.json(&body).unwrap();
        server.client().send::<serde_json::Value>(&request).ok()
    });
}

#[test]
fn a_secret_of_another_namespace_is_reached() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::dev(), "namespaced");
    let server = &host.server;
    server.create_namespace("team");
    let settings = json!({ "type": "kv", "options": { "version": "2" } });
    server.write("team/sys/mounts/secret", &settings);
    server.write("team/sys/auth/approle", &json!({ "type": "approle" }));
    let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    server.write("team/sys/policies/acl/host", &json!({ "policy": policy }));
    let role = "team/auth/approle/role/host";
    server.write(
        role,
        &json!({ "token_policies": ["host"], "token_type": "batch" }),
    );
    use_role(&host, role);
    write_to_new_mount(server, "team/secret/data/db");
    host.fetch_of("db")
        .env("BAO_NAMESPACE", "team")
        .succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
    fs::remove_dir_all(host.output()).unwrap();
    host.fetch_of("db")
        .args(["--namespace", "team/"])
        .succeed_silently();
    let output = host.fetch_of("db").run();
    assert_eq!(output.code(), Some(1), "elsewhere it is not: {output}");
}
