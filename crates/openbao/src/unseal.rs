//! Unsealing (API page `sys/unseal`): none of it needs a token. How far a server is, says
//! [`crate::sys::seal_status`].

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{Authentication, Client, Error, Method, Request, sys::SealStatus};

/// Submits one key share, hex or base64; with the last one that is needed, the server opens.
///
/// # Errors
/// [`Error::Refused`] with status 400 for a share that is none, and where the shares so far do not
/// open the server, which then begins anew; and what [`Client::send`] gives.
pub fn submit(client: &Client, share: &SecretString) -> Result<SealStatus, Error> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        key: &'a str,
    }
    let request = Request::new(Method::Post, "sys/unseal")
        .json(&Body {
            key: share.expose_secret(),
        })?
        .secret(share)
        .authentication(Authentication::None)
        .small_answer()
        .repeatable(); // a share that it has already changes nothing
    client.send_bare(&request)
}

/// Drops the shares that were submitted so far.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn reset(client: &Client) -> Result<SealStatus, Error> {
    let request = Request::new(Method::Post, "sys/unseal")
        .json(&json!({ "reset": true }))?
        .authentication(Authentication::None)
        .small_answer()
        .repeatable();
    client.send_bare(&request)
}
