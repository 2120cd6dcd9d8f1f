//! Response wrapping (API pages `sys/wrapping/…`, concepts page "Response wrapping").

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{Authentication, Client, Error, Method, Request, bounded, reply::WrapInfo};

/// Puts `payload` behind a single-use token that lives for `ttl`.
///
/// The token is asked for as a signed JWT (header `X-Vault-Wrap-Format`), which carries its own
/// expiry: a refused token that has expired differs from a used one ([`expiry`]). Its claim `jti` is the plain
/// token. Wrapping twice does no harm: the token of a lost answer expires unseen.
///
/// Standbys fail at this request (HTTP 500): take a client of [`Client::active`].
///
/// # Errors
/// What [`Client::send`] gives.
pub fn wrap(client: &Client, payload: &impl Serialize, ttl: Duration) -> Result<WrapInfo, Error> {
    let mut request = Request::new(Method::Post, "sys/wrapping/wrap").json(payload)?;
    for text in texts(payload) {
        request = request.secret(&text);
    }
    let request = request
        .header("X-Vault-Wrap-TTL", format!("{}s", ttl.as_secs()))
        .header("X-Vault-Wrap-Format", "jwt")
        .repeatable();
    let reply = client.send::<serde::de::IgnoredAny>(&request)?;
    reply
        .and_then(|reply| reply.wrap_info)
        .ok_or_else(|| client.incomplete("wrap_info"))
}

/// The texts of a JSON object.
fn texts(payload: &impl Serialize) -> Vec<SecretString> {
    let value = serde_json::to_value(payload).unwrap_or_default();
    let values: Vec<_> = match value {
        serde_json::Value::Object(map) => map.into_iter().map(|(_, value)| value).collect(),
        value => vec![value],
    };
    let texts = values.into_iter().filter_map(|value| match value {
        serde_json::Value::String(text) => Some(text.into()),
        _ => None,
    });
    texts.collect()
}

/// What the server tells of a wrapping token without using it up.
#[derive(Debug, Deserialize)]
pub struct WrappingInfo {
    /// The API path whose answer it wraps: `sys/wrapping/wrap` for [`wrap`].
    #[serde(deserialize_with = "bounded::text")]
    pub creation_path: String,
    /// When it was made (RFC 3339).
    #[serde(deserialize_with = "bounded::text")]
    pub creation_time: String,
}

/// Looks a wrapping token up in its plain form; it stays unused. A JWT crashes the request on a standby
/// (OpenBao 2.7).
///
/// # Errors
/// [`Error::Refused`] with status 400 for a token that was used, has expired or never existed:
/// the server does not tell which. A standby that lags behind says so, too.
pub fn lookup(client: &Client, token: &SecretString) -> Result<WrappingInfo, Error> {
    lookup_as_given(client, &plain(token))
}

/// Looks a wrapping token up as it is: of a JWT, the active node verifies the signature.
///
/// # Errors
/// As [`lookup`], and [`Error::Denied`] for a JWT that another cluster signed.
pub fn lookup_as_given(client: &Client, token: &SecretString) -> Result<WrappingInfo, Error> {
    let body = json!({ "token": token.expose_secret() });
    client.data(
        &without_token("sys/wrapping/lookup")
            .json(&body)?
            .secret(token)
            .repeatable(),
    )
}

/// Uses a wrapping token up and gives what it wraps.
///
/// # Errors
/// As [`lookup`]. When the connection breaks after the request was sent, the token may be used up.
pub fn unwrap<T: DeserializeOwned>(client: &Client, token: &SecretString) -> Result<T, Error> {
    let request = Request::new(Method::Post, "sys/wrapping/unwrap");
    client.data(&request.authentication(Authentication::Token(plain(token))))
}

fn without_token(path: &str) -> Request<'_> {
    Request::new(Method::Post, path).authentication(Authentication::None)
}

/// When a wrapping token in JWT format expires, by its own word: enough to explain a refusal, no
/// proof of anything. `None` for a plain token.
pub fn expiry(token: &SecretString) -> Option<SystemTime> {
    let seconds = claims(token)?.exp?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Whether a token begins as a JWT does, and is not whole.
pub fn is_damaged(token: &SecretString) -> bool {
    is_jwt(token) && claims(token).is_none_or(|claims| claims.jti.is_none())
}

/// The form that each node takes: the plain token, which a JWT carries in its claim `jti`.
fn plain(token: &SecretString) -> SecretString {
    let inner = claims(token).and_then(|claims| claims.jti);
    inner.unwrap_or_else(|| token.clone())
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<u64>,
    jti: Option<SecretString>,
}

/// A JWT begins with the Base64 of `{"`. Plain tokens begin with their type and a dot.
fn is_jwt(token: &SecretString) -> bool {
    token.expose_secret().starts_with("eyJ")
}

fn claims(token: &SecretString) -> Option<Claims> {
    let parts: Vec<_> = token.expose_secret().split('.').collect();
    let [_, payload, signature] = parts.as_slice() else {
        return None;
    };
    if !is_jwt(token) || signature.is_empty() {
        return None;
    }
    let json = zeroize::Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?);
    serde_json::from_slice(&json).ok()
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

    #[test]
    fn a_jwt_is_sent_in_its_plain_form_and_other_tokens_as_they_are() {
        let claims =
            BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1,"jti":"s.x.ns1","type":"wrapping"}"#);
        let jwt = SecretString::from(format!("eyJ.{claims}.sig"));
        assert_eq!(plain(&jwt).expose_secret(), "s.x.ns1");
        for token in ["s.w2EcqJLUZWb6HNYTeK0NorZq", "s.abc.ns1", "a.b.c", ""] {
            assert_eq!(plain(&token.into()).expose_secret(), token);
            assert!(!is_damaged(&token.into()), "{token}");
        }
    }

    #[test]
    fn a_jwt_that_is_not_whole_is_noticed() {
        let encode = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let whole = encode(r#"{"exp":1,"jti":"s.x"}"#);
        for token in [
            "eyJ".to_owned(),
            format!("eyJ.{whole}"),
            format!("eyJ.{whole}."),
            format!("eyJ.{whole}.sig.more"),
            format!("eyJ.{}.sig", &whole[..whole.len() - 3]),
            format!("eyJ.{}.sig", encode("[]")),
            format!("eyJ.{}.sig", encode(r#"{"exp":1}"#)),
            format!("eyJ.{}.sig", encode(r#"{"jti":7}"#)),
        ] {
            assert!(is_damaged(&token.as_str().into()), "{token}");
        }
        assert!(!is_damaged(&format!("eyJ.{whole}.sig").into()));
    }
}
