//! Unsealing (API pages `sys/seal-status` and `sys/unseal`): none of it needs a token.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::{Authentication, Client, Error, Method, Request};

/// How far a server is with unsealing.
#[derive(Clone, Debug, Deserialize)]
pub struct SealState {
    /// Which seal it has: `shamir`, or one that opens by itself.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it was ever initialised, or has joined a cluster that was.
    pub initialized: bool,
    /// Whether it holds no key and serves nothing.
    pub sealed: bool,
    /// How many key shares open it.
    #[serde(rename = "t")]
    pub threshold: usize,
    /// How many different ones it was given since it began to collect them.
    pub progress: usize,
}

/// How far a server is.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn state(client: &Client) -> Result<SealState, Error> {
    let request = Request::new(Method::Get, "sys/seal-status").authentication(Authentication::None);
    client.send_bare(&request)
}

/// Submits one key share, hex or base64; with the last one that is needed, the server opens.
///
/// # Errors
/// [`Error::Refused`] with status 400 for a share that is none, and where the shares so far do not
/// open the server, which then begins anew; and what [`Client::send`] gives.
pub fn submit(client: &Client, share: &SecretString) -> Result<SealState, Error> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        key: &'a str,
    }
    let request = Request::new(Method::Post, "sys/unseal")
        .json(&Body {
            key: share.expose_secret(),
        })?
        .authentication(Authentication::None)
        .repeatable(); // a share that it has already changes nothing
    client.send_bare(&request)
}

/// Drops the shares that were submitted so far.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn reset(client: &Client) -> Result<SealState, Error> {
    let request = Request::new(Method::Post, "sys/unseal")
        .json(&json!({ "reset": true }))?
        .authentication(Authentication::None)
        .repeatable();
    client.send_bare(&request)
}
