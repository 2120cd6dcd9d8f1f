//! Several addresses: tried in their order, and then the one that answered first.

use serde_json::json;
use zts_openbao::{Error, Method, NodeError, Request, TransportError, kv, sys};
use zts_testkit::{Fault, Proxy, Server, SilentListener};

use crate::clients::{client, root_client, shared_server};

#[test]
fn addresses_are_tried_in_their_order() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (first, second) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    let client = client(&[&first.address(), &second.address()]);
    for _ in 0..3 {
        sys::seal_status(&client).unwrap();
    }
    assert_eq!((first.requests().len(), second.requests().len()), (3, 0));
    assert_eq!(first.connections(), 1, "the connection is kept");
    assert_eq!(client.address().to_string(), first.address());
}

#[test]
fn the_server_that_answered_is_tried_first() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (first, second) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    first.first(1, Fault::Status(503));
    let client = client(&[&first.address(), &second.address()]);
    for _ in 0..3 {
        sys::seal_status(&client).unwrap();
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 3));
    assert_eq!(client.address().to_string(), second.address());
    second.always(Fault::Close);
    sys::seal_status(&client).unwrap();
    assert_eq!(
        client.address().to_string(),
        first.address(),
        "and back again"
    );
}

#[test]
fn an_api_error_is_an_answer() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let hole = SilentListener::open();
    let client = root_client(&server, &[&hole.address(), &server.address()]);
    for _ in 0..3 {
        let error = kv::read(&client, "secret", "never/written").unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
    assert_eq!(hole.connections(), 1, "the silent server is tried once");
    assert_eq!(client.address().to_string(), server.address());
}

#[test]
fn an_error_names_the_failure_of_each_server() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (refused, hole) = (zts_testkit::closed_port(), SilentListener::open());
    let limited = Proxy::to(&server.address());
    limited.always(Fault::Status(429));
    let sealed = Server::dev();
    sealed.seal();
    let addresses = [
        refused.address(),
        hole.address(),
        limited.address(),
        sealed.address(),
    ];
    let client = root_client(&sealed, &addresses.each_ref().map(String::as_str));
    let error = kv::read(&client, "secret", "a").unwrap_err();
    let Error::Unavailable { attempts } = &error else {
        panic!("{error}");
    };
    let tried: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.address.to_string())
        .collect();
    assert_eq!(tried, addresses);
    assert!(matches!(
        attempts[0].error,
        NodeError::Transport(TransportError::Connect(_))
    ));
    assert!(matches!(
        attempts[1].error,
        NodeError::Transport(TransportError::Timeout(_))
    ));
    assert!(matches!(attempts[2].error, NodeError::RateLimited));
    assert!(matches!(attempts[3].error, NodeError::Sealed));
    assert!(error.is_unavailable() && error.is_transient());
}

#[test]
fn a_redirect_to_the_active_server_is_followed() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("pointed/to", &json!({ "key": "value" }));
    let standby = Proxy::to(&server.address());
    let target = format!("{}/v1/secret/data/pointed/to", server.address());
    standby.always(Fault::Redirect(target));
    let client = root_client(&server, &[&standby.address()]);
    let secret = kv::read(&client, "secret", "pointed/to").unwrap();
    assert_eq!(secret.metadata.version, 1);
    let target = format!("{}/v1/secret/data/pointed/by-post", server.address());
    standby.clear_faults().always(Fault::Redirect(target));
    kv::write(
        &client,
        "secret",
        "pointed/by-post",
        &json!({ "key": "value" }),
    )
    .unwrap();
    assert!(server.read("secret/data/pointed/by-post").is_some());
}

#[test]
fn a_redirect_to_a_dead_server_is_told_apart_from_a_dead_server() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let dead = zts_testkit::closed_port().address();
    let standby = Proxy::to(&server.address());
    standby.always(Fault::Redirect(format!("{dead}/v1/secret/data/a")));
    let client = root_client(&server, &[&standby.address(), &dead]);
    let error = kv::read(&client, "secret", "a").unwrap_err();
    let [first, second] = error.attempts() else {
        panic!("{error}");
    };
    let is_refused =
        |error: &NodeError| matches!(error, NodeError::Transport(TransportError::Connect(_)));
    assert_eq!(first.address.to_string(), standby.address());
    assert!(!is_refused(&first.error) && is_refused(first.error.root()));
    let text = format!("it redirects to `{dead}`, which cannot be used: ");
    assert!(first.error.to_string().starts_with(&text), "{error}");
    assert!(is_refused(&second.error));
    assert!(error.is_transient());
}

#[test]
fn special_characters_in_paths_are_kept() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let client = root_client(&server, &[&server.address()]);
    for name in ["a b", "ü", "50%", "q?list=true", "a#b", "a%2Fb", "密码"] {
        let path = format!("odd/{name}");
        kv::write(&client, "secret", &path, &json!({ "name": name })).unwrap();
        let secret = kv::read(&client, "secret", &path).unwrap();
        assert_eq!(*secret.values.unwrap()["name"].to_bytes(), name.as_bytes());
    }
    for path in ["", "a//b", "../a", "a/..", "/a", "a/./b"] {
        let error = client
            .send::<serde_json::Value>(&Request::new(Method::Get, path))
            .unwrap_err();
        assert!(matches!(error, Error::Path { .. }), "{path}: {error}");
    }
}
