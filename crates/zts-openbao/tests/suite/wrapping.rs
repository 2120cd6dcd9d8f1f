//! Wrapping tokens.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use zts_openbao::{Error, SecretMap, wrapping};

use crate::clients::{client, root_client, shared_server};

const TTL: Duration = Duration::from_secs(60);

#[test]
fn a_payload_is_unwrapped_once() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let payload = json!({ "role_id": "a", "secret_id": "ü\n\"" });
    let before = SystemTime::now();
    let wrapped = wrapping::wrap(&root, &payload, TTL).unwrap();
    assert_eq!(wrapped.ttl, 60);
    let shown = format!("{wrapped:?}");
    assert!(!shown.contains(wrapped.token.expose_secret()), "{shown}");

    let anonymous = client(&[&server.address()]);
    let info = wrapping::lookup(&anonymous, &wrapped.token).unwrap();
    assert_eq!(info.creation_path, "sys/wrapping/wrap");
    assert_eq!(
        wrapping::unwrap::<Value>(&anonymous, &wrapped.token).unwrap(),
        payload
    );
    let again = wrapping::unwrap::<Value>(&anonymous, &wrapped.token).unwrap_err();
    assert!(
        matches!(again, Error::Refused { status: 400, .. }),
        "{again}"
    );

    let left = wrapping::expiry(&wrapped.token)
        .unwrap()
        .duration_since(before)
        .unwrap();
    assert!((58..=62).contains(&left.as_secs()), "{left:?}");
}

#[test]
fn an_expired_token_has_its_expiry() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let wrapped = wrapping::wrap(&root, &json!({ "a": "b" }), Duration::from_secs(1)).unwrap();
    thread::sleep(Duration::from_millis(2100));
    let error = wrapping::lookup(&root, &wrapped.token).unwrap_err();
    assert!(
        matches!(error, Error::Refused { status: 400, .. }),
        "{error}"
    );
    assert!(wrapping::expiry(&wrapped.token).unwrap() <= SystemTime::now());
}

#[test]
fn a_payload_may_have_any_type() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let wrapped = wrapping::wrap(&root, &json!({ "n": 5 }), TTL).unwrap();
    let map: SecretMap = wrapping::unwrap(&root, &wrapped.token).unwrap();
    assert_eq!(*map["n"].to_bytes(), b"5");
}
