//! Response wrapping (API pages `sys/wrapping/…`, concepts page "Response wrapping").

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{Authentication, Client, Error, Method, Request, reply::WrapInfo};

/// Puts `payload` behind a single-use token that lives for `ttl`.
///
/// The token is asked for as a signed JWT (header `X-Vault-Wrap-Format`), which carries its own
/// expiry: whoever finds it refused can tell an expired token from a used one ([`expiry`]).
///
/// # Errors
/// What [`Client::send`] gives.
pub fn wrap(client: &Client, payload: &impl Serialize, ttl: Duration) -> Result<WrapInfo, Error> {
    let request = Request::new(Method::Post, "sys/wrapping/wrap")
        .json(payload)?
        .header("X-Vault-Wrap-TTL", format!("{}s", ttl.as_secs()))
        .header("X-Vault-Wrap-Format", "jwt");
    let reply = client.send::<serde::de::IgnoredAny>(&request)?;
    reply
        .and_then(|reply| reply.wrap_info)
        .ok_or_else(|| client.incomplete("wrap_info"))
}

/// What the server tells of a wrapping token without using it up.
#[derive(Debug, Deserialize)]
pub struct WrappingInfo {
    /// The API path whose answer it wraps: `sys/wrapping/wrap` for [`wrap`].
    pub creation_path: String,
    /// When it was made (RFC 3339).
    pub creation_time: String,
}

/// Looks a wrapping token up; it stays unused.
///
/// # Errors
/// [`Error::Refused`] with status 400 for a token that was used, has expired or never existed:
/// the server does not tell which.
pub fn lookup(client: &Client, token: &SecretString) -> Result<WrappingInfo, Error> {
    let body = json!({ "token": token.expose_secret() });
    client.data(
        &without_token("sys/wrapping/lookup")
            .json(&body)?
            .repeatable(),
    )
}

/// Uses a wrapping token up and gives what it wraps.
///
/// # Errors
/// As [`lookup`]. When the connection breaks after the request was sent, the token may be used up.
pub fn unwrap<T: DeserializeOwned>(client: &Client, token: &SecretString) -> Result<T, Error> {
    let request = Request::new(Method::Post, "sys/wrapping/unwrap");
    client.data(&request.authentication(Authentication::Token(token.clone())))
}

fn without_token(path: &str) -> Request<'_> {
    Request::new(Method::Post, path).authentication(Authentication::None)
}

/// When a wrapping token in JWT format expires, by its own word: enough to explain a refusal, no
/// proof of anything. `None` for a plain token.
pub fn expiry(token: &SecretString) -> Option<SystemTime> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let payload = token.expose_secret().split('.').nth(1)?;
    let json = zeroize::Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?);
    let claims: Claims = serde_json::from_slice(&json).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_when_it_expires() {
        let claims =
            BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1795571887,"jti":"s.x","type":"wrapping"}"#);
        let jwt = format!("eyJ.{claims}.sig").into();
        assert_eq!(
            expiry(&jwt),
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_571_887))
        );
    }

    #[test]
    fn other_tokens_do_not() {
        for token in ["", "s.w2EcqJLUZWb6HNYTeK0NorZq", "a.b.c", "hvs.CAES.x"] {
            assert_eq!(expiry(&token.into()), None, "{token}");
        }
    }
}
