//! The token that asks (API page "Token auth method").

use serde::Deserialize;

use crate::{Client, Error, Method, Request};

/// What the server keeps of a token.
#[derive(Debug, Deserialize)]
pub struct TokenInfo {
    /// Its policies.
    pub policies: Vec<String>,
    /// Seconds until it expires; 0 where it does not.
    pub ttl: u64,
}

/// Looks up the token that the client authenticates with.
///
/// # Errors
/// [`Error::Denied`] where it is not valid, and what [`Client::send`] gives.
pub fn lookup_self(client: &Client) -> Result<TokenInfo, Error> {
    client.data(&Request::new(Method::Get, "auth/token/lookup-self"))
}

/// Revokes the token that the client authenticates with (API page `auth/token/revoke-self`).
///
/// # Errors
/// [`Error::Denied`] where it is not valid, and what [`Client::send`] gives.
pub fn revoke_self(client: &Client) -> Result<(), Error> {
    let request = Request::new(Method::Post, "auth/token/revoke-self").repeatable();
    client.send::<serde::de::IgnoredAny>(&request).map(|_| ())
}
