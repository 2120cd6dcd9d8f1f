//! The envelope of OpenBao's answers.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{Trouble, bounded, redaction};

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
    #[serde(deserialize_with = "bounded::text")]
    pub accessor: String,
    /// Seconds until it expires.
    pub ttl: u64,
    /// When it was made (RFC 3339).
    #[serde(deserialize_with = "bounded::text")]
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

/// So many errors of one answer are looked at.
const MESSAGES: usize = 8;

/// The server's words as they may be shown: its `errors`, else its `warnings`; none where the body is not
/// OpenBao's.
pub(crate) fn messages(body: &[u8]) -> Vec<String> {
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    let words = refused.errors.or(refused.warnings).unwrap_or_default();
    let words = words.iter().take(MESSAGES);
    words.map(|text| redaction::clean(text)).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kv;

    /// Bodies that begin like OpenBao's, and go on as they like.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::collection::vec(any::<String>(), 0..4);
        let errors = text.prop_map(|errors| serde_json::json!({ "errors": errors }).to_string());
        let odd = prop_oneof![
            errors,
            r#"\{"errors":(null|\[null\]|\{\}|"x"|\["a",1\])\}"#,
            r#"\{"data":(null|\{"metadata":(null|\{"version":-?[0-9]{1,30}\})\})\}"#,
            any::<String>(),
        ];
        (odd, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = text.into_bytes();
            if !bytes.is_empty() && byte < 128 {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_a_refusal_says_is_short_and_steers_nothing(body in body()) {
            for text in messages(&body) {
                prop_assert!(text.chars().count() <= redaction::LONGEST + 1, "{text}");
                prop_assert!(!text.contains(char::is_control), "{text:?}");
            }
            let _ = (is_openbaos(&body), kv::gone("secret/data/a", &body));
        }
    }
}
