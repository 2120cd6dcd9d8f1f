//! The route to the active node: which requests a standby forwards, and the header that makes it do
//! so.

use std::{str::FromStr, sync::OnceLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{Address, NodeError, exchange::INDEX_HEADER};

/// The longest address of an active node that a message repeats, in bytes.
const LONGEST_ADDRESS: usize = 256;

/// The active node as a goal of requests: the route to it, determined before the first one.
#[derive(Debug, Default)]
pub(crate) struct ActiveNode {
    pub(crate) route: OnceLock<Route>,
}

/// The ways to reach the active node.
#[derive(Debug)]
pub(crate) enum Route {
    /// Every node forwards a request with this index.
    Index(String),
    /// Standbys answer reads themselves: each request needs the active node's own address.
    Search,
    /// Any node will do: standbys forward everything, or there are none.
    Any,
}

impl ActiveNode {
    /// Returns the headers that make a standby forward a request.
    pub(crate) fn headers(&self) -> Vec<(&'static str, SecretString)> {
        match self.route.get() {
            Some(Route::Index(index)) => forwarding_headers(index).into(),
            _ => Vec::new(),
        }
    }
}

/// Returns the headers that make a standby forward a request unless its storage has this index
/// (concepts page "Eventual consistency").
pub(crate) fn forwarding_headers(index: &str) -> [(&'static str, SecretString); 2] {
    [
        (INDEX_HEADER, index.into()),
        ("X-Vault-Inconsistent", "forward-active-node".into()),
    ]
}

/// Returns the error for a standby that names `leader` as the active node; `leader` is empty where
/// the standby knows of none.
pub(crate) fn standby_error(leader: &str) -> NodeError {
    let leader = Some(leader).filter(|text| text.len() <= LONGEST_ADDRESS);
    NodeError::Standby {
        leader: leader.and_then(|text| Address::from_str(text).ok()),
    }
}

#[derive(Deserialize)]
struct Index {
    cluster: String,
    value: String,
}

/// Returns the last possible index in the cluster that gave `index`; `None` where `index` is not a
/// number.
pub(crate) fn last_index_of(index: &str) -> Option<String> {
    let json = BASE64_STANDARD.decode(index).ok()?;
    let parsed: Index = serde_json::from_slice(&json).ok()?;
    parsed.value.parse::<u64>().ok()?;
    Some(last_index(&parsed.cluster))
}

/// Returns the last possible index in the cluster with this id. No node ever reaches it.
pub(crate) fn last_index(cluster: &str) -> String {
    let index = serde_json::json!({ "cluster": cluster, "value": i64::MAX.to_string() });
    BASE64_STANDARD.encode(index.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_numeric_index_is_raised() {
        let encode = |json: &str| BASE64_STANDARD.encode(json);
        let raised = last_index_of(&encode(r#"{"cluster":"c1","value":"74"}"#));
        let expected = encode(r#"{"cluster":"c1","value":"9223372036854775807"}"#);
        assert_eq!(raised, Some(expected));
        let others = [
            r#"{"cluster":"c1","value":"0/16B3748"}"#,
            r#"{"value":"7"}"#,
            "v1:7:8:9",
            "",
        ];
        for other in others {
            assert_eq!(last_index_of(&encode(other)), None, "{other}");
            assert_eq!(last_index_of(other), None, "{other}");
        }
    }
}
