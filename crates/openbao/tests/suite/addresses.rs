//! Several addresses: asked in their order, and then first the one that answered.

use openbao::{Error, Method, Request, Trouble as Why, kv, sys};
use serde_json::json;
use testkit::{BlackHole, Proxy, Server, Trouble};

use crate::client::{client, root_client, shared_server};

#[test]
fn they_are_asked_in_their_order_and_no_more_than_needed() {
    testkit::require_bao!();
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
fn the_one_that_answered_is_asked_first_from_then_on() {
    testkit::require_bao!();
    let server = shared_server();
    let (first, second) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    first.first(1, Trouble::Status(503));
    let client = client(&[&first.address(), &second.address()]);
    for _ in 0..3 {
        sys::seal_status(&client).unwrap();
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 3));
    assert_eq!(client.address().to_string(), second.address());
    second.always(Trouble::Close);
    sys::seal_status(&client).unwrap();
    assert_eq!(
        client.address().to_string(),
        first.address(),
        "and back again"
    );
}

#[test]
fn a_refusal_is_an_answer_too() {
    testkit::require_bao!();
    let server = shared_server();
    let hole = BlackHole::open();
    let client = root_client(&server, &[&hole.address(), &server.address()]);
    for _ in 0..3 {
        let error = kv::read(&client, "secret", "never/written").unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
    assert_eq!(hole.connections(), 1, "it is not waited for a second time");
    assert_eq!(client.address().to_string(), server.address());
}

#[test]
fn when_none_can_be_used_each_is_named_with_its_trouble() {
    testkit::require_bao!();
    let server = shared_server();
    let (refused, hole) = (testkit::refused_address(), BlackHole::open());
    let limited = Proxy::to(&server.address());
    limited.always(Trouble::Status(429));
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
    let asked: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.address.to_string())
        .collect();
    assert_eq!(asked, addresses);
    assert!(matches!(attempts[0].trouble, Why::Connect(_)));
    assert!(matches!(attempts[1].trouble, Why::Timeout(_)));
    assert!(matches!(attempts[2].trouble, Why::RateLimited));
    assert!(matches!(attempts[3].trouble, Why::Sealed));
    assert!(error.is_unavailable() && error.is_transient());
}

#[test]
fn a_standby_may_point_to_the_active_server() {
    testkit::require_bao!();
    let server = shared_server();
    server.put_secret("pointed/to", &json!({ "key": "value" }));
    let standby = Proxy::to(&server.address());
    let target = format!("{}/v1/secret/data/pointed/to", server.address());
    standby.always(Trouble::Redirect(target));
    let client = root_client(&server, &[&standby.address()]);
    let secret = kv::read(&client, "secret", "pointed/to").unwrap();
    assert_eq!(secret.metadata.version, 1);
    let target = format!("{}/v1/secret/data/pointed/by-post", server.address());
    standby.behave().always(Trouble::Redirect(target));
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
fn paths_are_one_place_each() {
    testkit::require_bao!();
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
