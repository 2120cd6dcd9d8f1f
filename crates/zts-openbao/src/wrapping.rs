//! Response wrapping (API pages `sys/wrapping/…`, concepts page "Response wrapping").

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use zts_net::bounded;

use crate::{Authentication, Client, Error, Method, Request, reply::WrapInfo};

/// Wraps `payload` in a single-use token that is valid for `ttl`.
///
/// The token is a signed JWT (header `X-Vault-Wrap-Format`), which carries its own expiry, so that
/// an expired token can be told from a used one ([`expiry`]). Its claim `jti` is the plain token.
/// Wrapping twice is harmless: the token of a lost answer expires.
///
/// Standbys fail at this request (HTTP 500): use a client of [`Client::active`].
///
/// # Errors
/// Those of [`Client::send`].
pub fn wrap(client: &Client, payload: &impl Serialize, ttl: Duration) -> Result<WrapInfo, Error> {
    let mut request = Request::new(Method::Post, "sys/wrapping/wrap").json(payload)?;
    for text in secret_texts(payload) {
        request = request.secret(&text);
    }
    let request = request
        .header("X-Vault-Wrap-TTL", format!("{}s", ttl.as_secs()))
        .header("X-Vault-Wrap-Format", "jwt")
        .repeatable();
    let reply = client.send::<serde::de::IgnoredAny>(&request)?;
    reply
        .and_then(|reply| reply.wrap_info)
        .ok_or_else(|| client.incomplete_reply("wrap_info"))
}

/// Returns the texts of a JSON object.
fn secret_texts(payload: &impl Serialize) -> Vec<SecretString> {
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

/// The properties of a wrapping token, read without using it.
#[derive(Debug, Deserialize)]
pub struct WrappingInfo {
    /// The API path whose answer it wraps: `sys/wrapping/wrap` for [`wrap`].
    #[serde(deserialize_with = "bounded::deserialize_text")]
    pub creation_path: String,
    /// The time of its creation (RFC 3339).
    #[serde(deserialize_with = "bounded::deserialize_text")]
    pub creation_time: String,
}

/// Looks a wrapping token up without using it, in its plain form: a JWT crashes the request on a
/// standby (OpenBao 2.7).
///
/// # Errors
/// [`Error::Refused`] with status 400 for a token that was used, has expired or never existed; the
/// server does not tell which. A standby that lags behind answers the same for a valid token.
pub fn lookup(client: &Client, token: &SecretString) -> Result<WrappingInfo, Error> {
    lookup_unchanged(client, &plain_token(token))
}

/// Looks a wrapping token up without converting it: the active node verifies the signature of a
/// JWT.
///
/// # Errors
/// Those of [`lookup`], and [`Error::Denied`] for a JWT that another cluster signed.
pub fn lookup_unchanged(client: &Client, token: &SecretString) -> Result<WrappingInfo, Error> {
    let body = json!({ "token": token.expose_secret() });
    client.data(
        &without_token("sys/wrapping/lookup")
            .json(&body)?
            .secret(token)
            .repeatable(),
    )
}

/// Uses a wrapping token and returns what it wraps.
///
/// # Errors
/// Those of [`lookup`]. When the connection fails after the request was sent, the token may be
/// used.
pub fn unwrap<T: DeserializeOwned>(client: &Client, token: &SecretString) -> Result<T, Error> {
    let request = Request::new(Method::Post, "sys/wrapping/unwrap");
    client.data(&request.authentication(Authentication::Token(plain_token(token))))
}

fn without_token(path: &str) -> Request<'_> {
    Request::new(Method::Post, path).authentication(Authentication::None)
}

/// Returns the expiry that a wrapping token in JWT format claims; `None` for a plain token. The
/// signature is not verified: the claim can explain a refused token, and proves nothing.
pub fn expiry(token: &SecretString) -> Option<SystemTime> {
    let seconds = parse_claims(token)?.exp?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Returns whether a token begins as a JWT does, and is not a complete one.
pub fn is_damaged_jwt(token: &SecretString) -> bool {
    is_jwt(token) && parse_claims(token).is_none_or(|claims| claims.jti.is_none())
}

/// Returns the form that every node accepts: the plain token, which a JWT carries in its claim
/// `jti`.
fn plain_token(token: &SecretString) -> SecretString {
    let inner = parse_claims(token).and_then(|claims| claims.jti);
    inner.unwrap_or_else(|| token.clone())
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<u64>,
    jti: Option<SecretString>,
}

/// Returns whether a token is a JWT, which begins with the Base64 of `{"`. Plain tokens begin with
/// their type and a dot.
fn is_jwt(token: &SecretString) -> bool {
    token.expose_secret().starts_with("eyJ")
}

fn parse_claims(token: &SecretString) -> Option<Claims> {
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
    fn the_expiry_of_a_jwt_is_read() {
        let claims =
            BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1795571887,"jti":"s.x","type":"wrapping"}"#);
        let jwt = format!("eyJ.{claims}.sig").into();
        assert_eq!(
            expiry(&jwt),
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_571_887))
        );
    }

    #[test]
    fn a_plain_token_has_no_expiry() {
        for token in ["", "s.w2EcqJLUZWb6HNYTeK0NorZq", "a.b.c", "hvs.CAES.x"] {
            assert_eq!(expiry(&token.into()), None, "{token}");
        }
    }

    #[test]
    fn a_jwt_is_converted_and_a_plain_token_is_not() {
        let claims =
            BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1,"jti":"s.x.ns1","type":"wrapping"}"#);
        let jwt = SecretString::from(format!("eyJ.{claims}.sig"));
        assert_eq!(plain_token(&jwt).expose_secret(), "s.x.ns1");
        for token in ["s.w2EcqJLUZWb6HNYTeK0NorZq", "s.abc.ns1", "a.b.c", ""] {
            assert_eq!(plain_token(&token.into()).expose_secret(), token);
            assert!(!is_damaged_jwt(&token.into()), "{token}");
        }
    }

    #[test]
    fn a_damaged_jwt_is_recognised() {
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
            assert!(is_damaged_jwt(&token.as_str().into()), "{token}");
        }
        assert!(!is_damaged_jwt(&format!("eyJ.{whole}.sig").into()));
    }
}
