//! The envelope of OpenBao's answers.

use secrecy::SecretString;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::Trouble;

/// What every answer of OpenBao's API is wrapped in; parts that an endpoint does not use are `None`.
#[derive(Debug, Deserialize)]
pub struct Reply<T> {
    /// What was asked for.
    #[serde(default = "none")]
    pub data: Option<T>,
    /// The result of a login.
    pub auth: Option<Login>,
    /// Stands in for everything else when the answer was wrapped.
    pub wrap_info: Option<WrapInfo>,
}

fn none<T>() -> Option<T> {
    None
}

/// The result of a login.
#[derive(Debug, Deserialize)]
pub struct Login {
    /// The token.
    pub client_token: SecretString,
}

/// A wrapping token and what the server says of it (API page `sys/wrapping/wrap`).
#[derive(Debug, Deserialize)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: SecretString,
    /// Its accessor: revokes it without being it.
    pub accessor: String,
    /// Seconds until it expires.
    pub ttl: u64,
    /// When it was made (RFC 3339).
    pub creation_time: String,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

/// OpenBao's `errors` array, empty where the body is none of OpenBao's.
pub(crate) fn messages(body: &[u8]) -> Vec<String> {
    serde_json::from_slice::<Errors>(body)
        .map(|parsed| parsed.errors)
        .unwrap_or_default()
}

/// Whether a refusal is in OpenBao's words, rather than those of something in between: a load
/// balancer without a server behind it says 404, too.
pub(crate) fn is_openbaos(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Option<Vec<IgnoredAny>>,
        data: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Refusal>(body)
        .is_ok_and(|parsed| parsed.errors.is_some() || parsed.data.is_some())
}

/// The answer in `body`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<Reply<T>, Trouble> {
    parse_bare(body)
}

/// An answer without the envelope. The error names the place, never the text: it may be a secret.
pub(crate) fn parse_bare<T: DeserializeOwned>(body: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_eof() {
            "the JSON ends too early"
        } else {
            "it is not the JSON expected here"
        };
        Trouble::BadReply(format!(
            "{what} (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}
