//! Writes are not carried out twice.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use zts_openbao::{Client, Error, Method, Request, approle, kv};
use zts_testkit::{Fault, Proxy, Server};

use crate::clients::{root_client, shared_server};

/// A client with two proxies to one server, of which the first has a fault.
struct ProxiedServer {
    faulty: Proxy,
    good: Proxy,
    client: Client,
    _server: Arc<Server>,
}

impl ProxiedServer {
    fn with_fault(fault: Fault) -> Self {
        let server = shared_server();
        let (faulty, good) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
        faulty.always(fault);
        let client = root_client(&server, &[&faulty.address(), &good.address()]);
        Self {
            faulty,
            good,
            client,
            _server: server,
        }
    }
}

/// Returns the faults after which a request may have been carried out.
fn uncertain_faults() -> [Fault; 6] {
    [
        Fault::Close,
        Fault::Hang,
        Fault::Truncate(5),
        Fault::Html,
        Fault::Status(500),
        Fault::Delay(zts_testkit::scale_timeout(Duration::from_secs(2))),
    ]
}

#[test]
fn a_write_without_an_answer_is_not_sent_to_the_next_server() {
    zts_testkit::require_bao!();
    for fault in uncertain_faults() {
        let proxied = ProxiedServer::with_fault(fault.clone());
        let error = kv::write(&proxied.client, "secret", "once", &json!({ "a": 1 })).unwrap_err();
        let Error::Unavailable { attempts } = &error else {
            panic!("{fault:?}: {error}");
        };
        assert_eq!(attempts.len(), 1, "{fault:?}: {error}");
        assert_eq!(proxied.faulty.requests().len(), 1, "{fault:?}");
        assert_eq!(proxied.good.connections(), 0, "{fault:?}");
    }
}

#[test]
fn a_write_that_was_not_carried_out_is_sent_to_the_next_server() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let proxied = ProxiedServer::with_fault(Fault::Status(429));
    kv::write(&proxied.client, "secret", "limited", &json!({ "a": 1 })).unwrap();
    let refused = zts_testkit::closed_port();
    let client = root_client(&server, &[&refused.address(), &proxied.good.address()]);
    kv::write(&client, "secret", "limited", &json!({ "a": 2 })).unwrap();
    let version = server.read("secret/data/limited").unwrap()["metadata"]["version"].clone();
    assert_eq!(version, 2);
}

#[test]
fn a_repeatable_write_is_sent_to_the_next_server() {
    zts_testkit::require_bao!();
    for fault in uncertain_faults() {
        let proxied = ProxiedServer::with_fault(fault.clone());
        let lookup = Request::new(Method::Post, "sys/capabilities-self");
        let lookup = lookup
            .json(&json!({ "paths": ["a"] }))
            .unwrap()
            .repeatable();
        proxied.client.send::<Value>(&lookup).unwrap();
        let counts = (
            proxied.faulty.requests().len(),
            proxied.good.requests().len(),
        );
        assert_eq!(counts, (1, 1), "{fault:?}");
    }
}

#[test]
fn a_secret_id_is_issued_once() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("issued-once");
    let proxied = ProxiedServer::with_fault(Fault::Truncate(5));
    let metadata = [("issued-by", "a test")].into();
    approle::issue_secret_id(&proxied.client, "approle", "issued-once", &metadata).unwrap_err();
    let accessors =
        approle::secret_id_accessors(&server.client(), "approle", "issued-once").unwrap();
    assert_eq!(
        accessors.len(),
        2,
        "the host's, and that of the lost answer"
    );
}

#[test]
fn a_read_without_an_answer_is_sent_to_the_next_server() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("read-twice", &json!({ "a": 1 }));
    for fault in uncertain_faults() {
        let proxied = ProxiedServer::with_fault(fault.clone());
        kv::read(&proxied.client, "secret", "read-twice").unwrap();
        assert_eq!(proxied.good.requests().len(), 1, "{fault:?}");
    }
}
