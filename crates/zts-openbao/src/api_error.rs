//! The error that an answer with status 4xx stands for.

use serde::Deserialize;

use crate::{Address, ApiError, Error, exchange::Answer, reply};

/// Returns the error for an answer with status 4xx, with the server's messages or without.
pub(crate) fn classify_answer(
    address: &Address,
    path: &str,
    answer: &Answer,
    with_messages: bool,
) -> Error {
    let messages = with_messages.then(|| reply::parse_messages(&answer.body));
    let path = path.to_owned();
    let api_error = ApiError {
        address: address.clone(),
        messages: messages.unwrap_or_default(),
    };
    match answer.status {
        _ if answer.inline_login_failed => Error::LoginRefused { path, api_error },
        403 => Error::Denied { path, api_error },
        404 => {
            parse_gone_version(&path, &answer.body).unwrap_or(Error::NotFound { path, api_error })
        }
        status => Error::Refused {
            path,
            status,
            api_error,
        },
    }
}

/// Returns the error for a 404 whose body names a deleted or destroyed version (API page "KV
/// secrets engine, version 2", "Read secret version").
fn parse_gone_version(path: &str, body: &[u8]) -> Option<Error> {
    #[derive(Deserialize)]
    struct Data {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        version: u64,
        #[serde(default, deserialize_with = "zts_net::bounded::deserialize_text")]
        deletion_time: String,
        #[serde(default)]
        destroyed: bool,
    }
    let metadata = reply::parse::<Data>(body).ok()?.data?.metadata;
    let (path, version) = (path.to_owned(), metadata.version);
    Some(if metadata.destroyed {
        Error::Destroyed { path, version }
    } else {
        Error::Deleted {
            path,
            version,
            deletion_time: metadata.deletion_time,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zts_net::redaction::LONGEST;

    use super::*;

    /// Generates bodies that begin like OpenBao's, with any bytes after that.
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
        fn messages_are_short_and_printable(body in body()) {
            for text in reply::parse_messages(&body) {
                prop_assert!(text.chars().count() <= LONGEST + 1, "{text}");
                prop_assert!(!text.contains(char::is_control), "{text:?}");
            }
            let _ = (reply::is_openbao_error(&body), parse_gone_version("secret/data/a", &body));
        }
    }
}
