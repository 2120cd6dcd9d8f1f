//! The system backend.

use openbao::{Authentication, Error, sys};
use serde_json::json;
use testkit::Server;

use crate::client::{client, root_client, shared_server};

#[test]
fn a_token_tells_what_it_may_do() {
    testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let policy = r#"path "secret/data/mine/*" { capabilities = ["read", "list"] }"#;
    sys::write_policy(&root, "mine", policy).unwrap();
    assert_eq!(sys::read_policy(&root, "mine").unwrap(), policy);
    let made = openbao::Request::new(openbao::Method::Post, "auth/token/create");
    let made = made.json(&json!({ "policies": ["mine"] })).unwrap();
    let reply = root.send::<serde_json::Value>(&made).unwrap().unwrap();
    let mut mine = client(&[&server.address()]);
    mine.authenticate(Authentication::Token(reply.auth.unwrap().client_token));
    let paths = ["secret/data/mine/db", "secret/data/theirs"];
    let may = sys::capabilities_self(&mine, &paths).unwrap();
    assert_eq!(may["secret/data/mine/db"], ["list", "read"]);
    assert_eq!(may["secret/data/theirs"], ["deny"]);
    assert_eq!(
        sys::capabilities_self(&root, &paths).unwrap()[paths[1]],
        ["root"]
    );

    sys::delete_policy(&root, "mine").unwrap();
    sys::delete_policy(&root, "mine").unwrap();
    let error = sys::read_policy(&root, "mine").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn mounts_are_seen() {
    testkit::require_bao!();
    let server = shared_server();
    let mounts = sys::visible_mounts(&root_client(&server, &[&server.address()])).unwrap();
    assert_eq!(mounts.auth["approle/"].kind, "approle");
    let secret = &mounts.secret["secret/"];
    assert_eq!(secret.kind, "kv");
    assert_eq!(secret.options.as_ref().unwrap()["version"], "2");
}

#[test]
fn a_seal_is_seen_without_a_token() {
    testkit::require_bao!();
    let server = Server::dev();
    let nobody = client(&[&server.address()]);
    let status = sys::seal_status(&nobody).unwrap();
    assert!(!status.sealed && status.initialized && status.version.starts_with("2."));
    server.seal();
    assert!(sys::seal_status(&nobody).unwrap().sealed);
}

#[test]
fn a_server_without_a_cluster_is_active() {
    testkit::require_bao!();
    let server = shared_server();
    client(&[&server.address()]).find_active().unwrap();
}
