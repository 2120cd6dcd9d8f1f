//! The envelope of OpenBao's answers.

use std::collections::BTreeSet;

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
    /// Its policies.
    #[serde(default)]
    pub policies: Option<BTreeSet<String>>,
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

/// The parts of a refusal. HTTP errors have `errors`; an engine that does not know a path answers with
/// the envelope of every reply: `request_id`, `"data": null`, and the reason among its `warnings`.
#[derive(Default, Deserialize)]
struct Refused {
    errors: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    request_id: Option<String>,
    data: Option<IgnoredAny>,
}

/// The server's words: its `errors`, else its `warnings`; none where the body is not OpenBao's.
pub(crate) fn messages(body: &[u8]) -> Vec<String> {
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    refused.errors.or(refused.warnings).unwrap_or_default()
}

/// Whether a refusal is in OpenBao's words, rather than those of something in between: a load
/// balancer without a server behind it says 404, too.
pub(crate) fn is_openbaos(body: &[u8]) -> bool {
    serde_json::from_slice::<Refused>(body).is_ok_and(|refused| {
        refused.errors.is_some() || refused.data.is_some() || refused.request_id.is_some()
    })
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
