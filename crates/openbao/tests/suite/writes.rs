//! A write is not carried out twice.

use std::{sync::Arc, time::Duration};

use openbao::{Client, Error, Method, Request, approle, kv};
use serde_json::{Value, json};
use testkit::{Proxy, Server, Trouble};

use crate::client::{root_client, shared_server};

/// Two ways to one server, of which the first has this trouble.
struct Ways {
    bad: Proxy,
    good: Proxy,
    client: Client,
    _server: Arc<Server>,
}

impl Ways {
    fn with(trouble: Trouble) -> Self {
        let server = shared_server();
        let (bad, good) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
        bad.always(trouble);
        let client = root_client(&server, &[&bad.address(), &good.address()]);
        Self {
            bad,
            good,
            client,
            _server: server,
        }
    }
}

/// What leaves open whether the request was carried out.
fn uncertain() -> [Trouble; 6] {
    [
        Trouble::Close,
        Trouble::Hang,
        Trouble::Truncate(5),
        Trouble::Html,
        Trouble::Status(500),
        Trouble::Delay(testkit::busy(Duration::from_secs(2))),
    ]
}

#[test]
fn one_without_an_answer_is_not_sent_to_the_next_server() {
    testkit::require_bao!();
    for trouble in uncertain() {
        let ways = Ways::with(trouble.clone());
        let error = kv::write(&ways.client, "secret", "once", &json!({ "a": 1 })).unwrap_err();
        let Error::Unavailable { attempts } = &error else {
            panic!("{trouble:?}: {error}");
        };
        assert_eq!(attempts.len(), 1, "{trouble:?}: {error}");
        assert_eq!(ways.bad.requests().len(), 1, "{trouble:?}");
        assert_eq!(ways.good.connections(), 0, "{trouble:?}");
    }
}

#[test]
fn one_that_was_surely_not_carried_out_is() {
    testkit::require_bao!();
    let server = shared_server();
    let ways = Ways::with(Trouble::Status(429));
    kv::write(&ways.client, "secret", "limited", &json!({ "a": 1 })).unwrap();
    let refused = testkit::refused_address();
    let client = root_client(&server, &[&refused.address(), &ways.good.address()]);
    kv::write(&client, "secret", "limited", &json!({ "a": 2 })).unwrap();
    let version = server.read("secret/data/limited").unwrap()["metadata"]["version"].clone();
    assert_eq!(version, 2);
}

#[test]
fn one_that_may_be_repeated_is() {
    testkit::require_bao!();
    for trouble in uncertain() {
        let ways = Ways::with(trouble.clone());
        let lookup = Request::new(Method::Post, "sys/capabilities-self");
        let lookup = lookup
            .json(&json!({ "paths": ["a"] }))
            .unwrap()
            .repeatable();
        ways.client.send::<Value>(&lookup).unwrap();
        let counts = (ways.bad.requests().len(), ways.good.requests().len());
        assert_eq!(counts, (1, 1), "{trouble:?}");
    }
}

#[test]
fn a_secret_id_is_issued_once() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("issued-once");
    let ways = Ways::with(Trouble::Truncate(5));
    let metadata = [("issued-by", "a test")].into();
    approle::issue_secret_id(&ways.client, "approle", "issued-once", &metadata).unwrap_err();
    let accessors =
        approle::secret_id_accessors(&server.client(), "approle", "issued-once").unwrap();
    assert_eq!(
        accessors.len(),
        2,
        "that of the host, and one whose answer got lost"
    );
}

#[test]
fn a_read_without_an_answer_is_asked_of_the_next_server() {
    testkit::require_bao!();
    let server = shared_server();
    server.put_secret("read-twice", &json!({ "a": 1 }));
    for trouble in uncertain() {
        let ways = Ways::with(trouble.clone());
        kv::read(&ways.client, "secret", "read-twice").unwrap();
        assert_eq!(ways.good.requests().len(), 1, "{trouble:?}");
    }
}
