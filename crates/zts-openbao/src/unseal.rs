//! Unsealing (API page `sys/unseal`), which needs no token. [`crate::sys::seal_status`] tells the
//! progress.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{Authentication, Client, Error, Method, Request, sys::SealStatus};

/// Submits one key share, hex or base64. With the last one that is needed, the server unseals.
///
/// # Errors
/// [`Error::Refused`] with status 400 for a text that is not a share, and for shares that do not
/// unseal the server, which then drops them; and those of [`Client::send`].
pub fn submit_share(client: &Client, share: &SecretString) -> Result<SealStatus, Error> {
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
        .repeatable(); // a share that was submitted before changes nothing
    client.send_bare(&request)
}

/// Drops the shares that were submitted so far.
///
/// # Errors
/// Those of [`Client::send`].
pub fn reset_shares(client: &Client) -> Result<SealStatus, Error> {
    let request = Request::new(Method::Post, "sys/unseal")
        .json(&json!({ "reset": true }))?
        .authentication(Authentication::None)
        .small_answer()
        .repeatable();
    client.send_bare(&request)
}
