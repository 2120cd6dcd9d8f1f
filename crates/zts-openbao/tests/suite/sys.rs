//! The system backend.

use std::time::{Duration, SystemTime};

use serde_json::json;
use zts_openbao::{Authentication, Error, sys};
use zts_testkit::{Fault, Proxy, Server};

use crate::clients::{client, root_client, shared_server};

#[test]
fn capabilities_follow_from_policies() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let policy = r#"path "secret/data/mine/*" { capabilities = ["read", "list"] }"#;
    sys::write_policy(&root, "mine", policy).unwrap();
    assert_eq!(sys::read_policy(&root, "mine").unwrap(), policy);
    let request = zts_openbao::Request::new(zts_openbao::Method::Post, "auth/token/create");
    let request = request.json(&json!({ "policies": ["mine"] })).unwrap();
    let reply = root.send::<serde_json::Value>(&request).unwrap().unwrap();
    let mut mine = client(&[&server.address()]);
    mine.authenticate(Authentication::Token(reply.auth.unwrap().client_token));
    let paths = ["secret/data/mine/db", "secret/data/theirs"];
    let capabilities = sys::capabilities_self(&mine, &paths).unwrap();
    assert_eq!(capabilities["secret/data/mine/db"], ["list", "read"]);
    assert_eq!(capabilities["secret/data/theirs"], ["deny"]);
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
fn visible_mounts_are_listed() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let mounts = sys::visible_mounts(&root_client(&server, &[&server.address()])).unwrap();
    assert_eq!(mounts.auth["approle/"].kind, "approle");
    let secret = &mounts.secret["secret/"];
    assert_eq!(secret.kind, "kv");
    assert_eq!(secret.options.as_ref().unwrap()["version"], "2");
}

#[test]
fn the_seal_status_needs_no_token() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let anonymous = client(&[&server.address()]);
    let status = sys::seal_status(&anonymous).unwrap();
    assert!(!status.sealed && status.initialized && status.version.starts_with("2."));
    server.seal();
    assert!(sys::seal_status(&anonymous).unwrap().sealed);
}

#[test]
fn a_server_without_a_cluster_is_active() {
    zts_testkit::require_bao!();
    let server = shared_server();
    client(&[&server.address()]).find_active().unwrap();
}

#[test]
fn a_rate_limit_is_not_a_lost_leader() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let standby = r#"{"ha_enabled":true,"is_self":false,"leader_address":"http://127.0.0.1:1"}"#;
    for (fault, expected) in [
        (Fault::Status(429), None),
        (Fault::Status(500), Some(false)),
        (Fault::EchoBody(404), Some(true)),
    ] {
        let proxy = Proxy::to(&server.address());
        proxy.on("sys/leader", Fault::Body(standby.to_owned()));
        proxy.on("sys/internal/ui/mounts", fault.clone());
        let answer = sys::has_leader(&client(&[&proxy.address()])).ok();
        assert_eq!(answer, expected, "{fault:?}");
    }
}

#[test]
fn the_server_time_is_the_date_header() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let proxy = Proxy::to(&server.address());
    let time = || sys::server_time(&client(&[&proxy.address()])).unwrap();
    let difference = time().unwrap().duration_since(SystemTime::now());
    assert!(difference.unwrap_or_else(|behind| behind.duration()) < Duration::from_secs(60));
    proxy.always(Fault::Header(
        "date",
        "Tue, 24 Nov 2099 19:50:00 GMT".to_owned(),
    ));
    let seconds = time().unwrap().duration_since(SystemTime::UNIX_EPOCH);
    assert_eq!(seconds.unwrap().as_secs(), 4_099_233_000);
    proxy
        .clear_faults()
        .always(Fault::Header("date", "today".to_owned()));
    assert_eq!(time(), None);
}
