//! The envelope of OpenBao's answers (API page "HTTP API").

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use zts_net::{bounded::deserialize_text, redaction::clean_text};

use crate::NodeError;

/// The envelope of an answer; parts that an endpoint does not use are `None`.
#[derive(Debug, Deserialize)]
pub struct Reply<T> {
    /// The requested data.
    #[serde(default = "none")]
    pub data: Option<T>,
    /// The result of a login.
    pub auth: Option<Login>,
    /// The wrapping token, when the answer was wrapped; the other parts are `None` then.
    pub wrap_info: Option<WrapInfo>,
    /// The lease of the data; empty where it has none.
    #[serde(default)]
    pub(crate) lease_id: Option<String>,
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

/// A wrapping token and its properties (API page `sys/wrapping/wrap`).
#[derive(Debug, Deserialize)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: SecretString,
    /// Its accessor, with which it can be revoked and not used.
    #[serde(deserialize_with = "deserialize_text")]
    pub accessor: String,
    /// The time until it expires, in seconds.
    pub ttl: u64,
    /// The time of its creation (RFC 3339).
    #[serde(deserialize_with = "deserialize_text")]
    pub creation_time: String,
}

/// The parts of an error. HTTP errors have `errors`; an engine that does not have a path answers
/// with the envelope of every reply: `request_id`, `"data": null`, and the reason among its
/// `warnings`.
#[derive(Default, Deserialize)]
struct ErrorBody {
    errors: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    request_id: Option<String>,
    data: Option<IgnoredAny>,
}

/// The most messages of one answer that are shown.
const MOST_MESSAGES: usize = 8;

/// Returns the server's messages, redacted: its `errors`, else its `warnings`; none where the body
/// is not OpenBao's.
pub(crate) fn parse_messages(body: &[u8]) -> Vec<String> {
    let error: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let messages = error.errors.or(error.warnings).unwrap_or_default();
    let messages = messages.iter().take(MOST_MESSAGES);
    messages.map(|text| clean_text(text)).collect()
}

/// Returns whether the body of an error is OpenBao's, and not that of a proxy: a load balancer
/// without a server behind it answers 404, too.
pub(crate) fn is_openbao_error(body: &[u8]) -> bool {
    serde_json::from_slice::<ErrorBody>(body).is_ok_and(|error| {
        error.errors.is_some() || error.data.is_some() || error.request_id.is_some()
    })
}

/// Parses an answer with its envelope.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<Reply<T>, NodeError> {
    parse_bare(body)
}

/// Parses an answer without an envelope. The error names the position and not the text, which may
/// be a secret.
pub(crate) fn parse_bare<T: DeserializeOwned>(body: &[u8]) -> Result<T, NodeError> {
    serde_json::from_slice(body).map_err(|error| {
        let problem = if error.is_eof() {
            "the JSON ends too early"
        } else {
            "it is not the JSON expected here"
        };
        NodeError::BadReply(format!(
            "{problem} (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}
