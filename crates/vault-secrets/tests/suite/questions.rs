//! The number of requests to OpenBao.

use serde_json::json;
use zts_testkit::{Proxy, Server, closed_port};

use crate::host::Host;

#[test]
fn where_nothing_is_new_one_listing_is_all() {
    zts_testkit::require_bao!();
    let host = Host::new("listing");
    for name in ["a", "b", "c"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.rotate("a").assert_success();
    assert_eq!(
        (host.asked("detailed-metadata"), host.asked("data")),
        (1, 3)
    );
    host.rotate("b").assert_success();
    assert_eq!(
        (host.asked("detailed-metadata"), host.asked("data")),
        (2, 3)
    );
    host.put("c", "two");
    host.rotate("a").assert_success();
    assert_eq!(
        (host.asked("detailed-metadata"), host.asked("data")),
        (3, 4)
    );
    assert_eq!(host.value("c"), "two");
}

#[test]
fn one_connection_and_no_login_of_its_own() {
    zts_testkit::require_bao!();
    let host = Host::new("connection");
    for name in ["a", "b", "c"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    let proxy = Proxy::to(&host.server.address());
    host.rotate_at("a", &proxy.address()).assert_success();
    assert_eq!(proxy.connections(), 1);
    let asked: Vec<_> = proxy
        .requests()
        .iter()
        .map(|hit| hit.path.clone())
        .collect();
    let path = |name: &str| format!("/v1/secret/data/{}", host.secret(name));
    let listing = "/v1/secret/detailed-metadata/hosts/connection/?list=true".to_owned();
    let leader = "/v1/sys/leader".to_owned(); // where none was seen just now
    assert_eq!(asked, [listing, path("a"), path("b"), path("c"), leader]);
}

#[test]
fn the_server_that_answered_last_is_asked_first_by_the_next_run() {
    zts_testkit::require_bao!();
    let host = Host::new("last-answer");
    host.declare("db", &json!({})).put("db", "one");
    let ways = [(); 2].map(|()| Proxy::to(&host.server.address()));
    ways[0].always(zts_testkit::Fault::Close);
    let addresses = ways.each_ref().map(Proxy::address).join(",");
    for asked in [1, 1] {
        host.rotate_at("db", &addresses).assert_success();
        assert_eq!(ways[0].requests().len(), asked);
    }
    assert_eq!(host.value("db"), "one");
}

#[test]
fn a_policy_that_allows_no_listing_has_each_read() {
    zts_testkit::require_bao!();
    let host = Host::new("unlisted");
    let policy = "path \"secret/data/hosts/unlisted/*\" { capabilities = [\"read\"] }";
    let path = "sys/policies/acl/host-unlisted";
    host.server.write(path, &json!({ "policy": policy }));
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    host.put("db", "two");
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "two");
}

#[test]
fn a_server_that_knows_no_inline_login_gets_one_login_for_all() {
    zts_testkit::require_bao!();
    let host = Host::new("login");
    let proxy = Proxy::to(&host.server.address());
    proxy.always(zts_testkit::Fault::StripHeaders(
        "x-vault-inline-auth-".to_owned(),
    ));
    for name in ["a", "b"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.rotate_at("a", &proxy.address()).assert_success();
    let hits = proxy.requests();
    let logins = hits.iter().filter(|hit| hit.path.ends_with("/login"));
    assert_eq!(logins.count(), 1, "{hits:?}");
}

#[test]
fn with_openbao_down_nothing_changes() {
    zts_testkit::require_bao!();
    let host = Host::new("down");
    host.declare("db", &json!({})).put("db", "one");
    host.declare("tls", &json!({})).put("tls", "one");
    host.rotate("db").assert_success();
    let refused = closed_port();
    let output = host
        .rotate_at("db", &refused.address())
        .assert_failure(1, "nothing was changed");
    assert!(output.time.as_secs() < 2, "{:?}", output.time);
    assert_eq!(
        (host.value("db"), host.copied("db")),
        ("one".to_owned(), Some(1))
    );
    assert!(host.metrics().contains("rotation_failed{secret=\"tls\"} 1"));
}

#[test]
fn a_sealed_server_changes_nothing_either() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::dev(), "sealed");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    host.server.write("sys/seal", &json!({}));
    host.rotate("db").assert_failure(1, "it is sealed");
    assert_eq!(host.value("db"), "one");
}

#[test]
fn a_silent_server_is_waited_for_once_not_for_each_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("silent");
    for name in ["a", "b", "c", "d"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    let hole = zts_testkit::SilentListener::open();
    let output = host
        .rotate_at("a", &hole.address())
        .assert_failure(1, "nothing was changed");
    assert_eq!(
        output.stderr.matches("cannot be used").count(),
        1,
        "{output}"
    );
    assert!(output.time.as_secs() < 20, "{:?}", output.time);
    let metrics = host.metrics();
    assert_eq!(metrics.matches("rotation_failed{").count(), 4, "{metrics}");
}

/// Vault has no such listing, so each version is queried, and only a new one is read.
#[test]
fn vault_is_asked_for_the_metadata_of_each_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("vault").on_vault();
    for name in ["a", "b"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.rotate("a").assert_success();
    host.put("b", "two");
    let before = host.requests_to_vault().len();
    host.rotate("a").assert_success();
    assert_eq!(host.value("b"), "two");
    let path = |kind: &str, name: &str| format!("GET /v1/secret/{kind}/hosts/vault/{name}");
    let expected = [
        "POST /v1/auth/approle/login".to_owned(),
        path("detailed-metadata", "?list=true"),
        path("metadata", "a"),
        path("metadata", "b"),
        path("data", "b"),
    ];
    assert_eq!(host.requests_to_vault()[before..], expected);
}
