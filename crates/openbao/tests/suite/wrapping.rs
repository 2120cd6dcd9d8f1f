//! Wrapping tokens.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use openbao::{Error, SecretMap, wrapping};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{client, root_client, shared_server};

const LIFETIME: Duration = Duration::from_secs(60);

#[test]
fn a_payload_comes_out_once_and_as_it_went_in() {
    testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let payload = json!({ "role_id": "a", "secret_id": "ü\n\"" });
    let before = SystemTime::now();
    let wrapped = wrapping::wrap(&root, &payload, LIFETIME).unwrap();
    assert_eq!(wrapped.ttl, 60);
    let shown = format!("{wrapped:?}");
    assert!(!shown.contains(wrapped.token.expose_secret()), "{shown}");

    let nobody = client(&[&server.address()]);
    let info = wrapping::lookup(&nobody, &wrapped.token).unwrap();
    assert_eq!(info.creation_path, "sys/wrapping/wrap");
    assert_eq!(
        wrapping::unwrap::<Value>(&nobody, &wrapped.token).unwrap(),
        payload
    );
    let again = wrapping::unwrap::<Value>(&nobody, &wrapped.token).unwrap_err();
    assert!(
        matches!(again, Error::Refused { status: 400, .. }),
        "{again}"
    );

    let left = wrapping::expiry(&wrapped.token)
        .unwrap()
        .duration_since(before)
        .unwrap();
    assert!(
        (58..=62).contains(&left.as_secs()),
        "it tells when it expires: {left:?}"
    );
}

#[test]
fn a_token_that_has_expired_says_so_of_itself() {
    testkit::require_bao!();
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
fn what_is_unwrapped_may_be_any_type() {
    testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let wrapped = wrapping::wrap(&root, &json!({ "n": 5 }), LIFETIME).unwrap();
    let map: SecretMap = wrapping::unwrap(&root, &wrapped.token).unwrap();
    assert_eq!(*map["n"].to_bytes(), b"5");
}
