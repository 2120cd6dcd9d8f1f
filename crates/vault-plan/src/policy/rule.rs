//! One `path` of a policy.

use serde_json::{Map, Value};

use super::Pattern;

/// A rule that OpenBao has for some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// As it is written.
    pub(crate) path: String,
    pub(crate) pattern: Pattern,
    /// Whether it allows anything at all.
    pub(crate) grants: bool,
}

impl Rule {
    pub(super) fn new(path: String, attributes: &Map<String, Value>) -> Self {
        let capabilities = attributes.get("capabilities").and_then(Value::as_array);
        let capabilities = capabilities.into_iter().flatten();
        // `policy` is what capabilities were called before there were any
        let words: Vec<_> = capabilities
            .chain(attributes.get("policy"))
            .filter_map(Value::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        Self {
            pattern: Pattern::parse(&path),
            path,
            grants: !words.is_empty() && !words.contains(&"deny"),
        }
    }
}
