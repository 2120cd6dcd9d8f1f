//! Tokens that no API server gave out.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair},
};
use serde_json::Value;

/// A token with other claims, and the signature that it had.
pub(crate) fn with_claims(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let [header, claims, signature] = parts(token);
    format!("{header}.{}.{signature}", changed(claims, change))
}

/// A token with other claims, signed by `key` (PKCS #8).
pub(crate) fn signed(token: &str, key: &[u8], change: impl FnOnce(&mut Value)) -> String {
    let [header, claims, _] = parts(token);
    let text = format!("{header}.{}", changed(claims, change));
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ES256, key, &random).expect("a P-256 key");
    let signature = key.sign(&random, text.as_bytes()).expect("it signs");
    format!("{text}.{}", BASE64.encode(signature))
}

/// A key that the cluster does not know.
pub(crate) fn another_key() -> Vec<u8> {
    let key = EcdsaKeyPair::generate_pkcs8(&ES256, &SystemRandom::new());
    key.expect("a key is made").as_ref().to_vec()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().expect("a JWT has three parts")
}

fn changed(claims: &str, change: impl FnOnce(&mut Value)) -> String {
    let bytes = BASE64.decode(claims).expect("claims are base64");
    let mut claims = serde_json::from_slice(&bytes).expect("claims are JSON");
    change(&mut claims);
    BASE64.encode(claims.to_string())
}
