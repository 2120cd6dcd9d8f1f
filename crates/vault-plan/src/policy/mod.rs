//! The paths that a policy has rules for, in which unused grants are found. OpenBao itself answers
//! which capabilities the rules give.

mod pattern;
mod syntax;

use serde_json::{Map, Value};

pub(crate) use pattern::Pattern;

/// The rules of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
}

/// A `path` of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The path as it is written.
    pub(crate) path: String,
    pub(crate) pattern: Pattern,
    /// True if it allows anything.
    pub(crate) grants: bool,
    /// True if it allows only some requests, which `sys/capabilities` does not report.
    pub(crate) has_conditions: bool,
}

/// The attributes with which OpenBao refuses a plain read that the capabilities allow.
const CONDITIONS: [&str; 3] = [
    "min_wrapping_ttl",
    "max_wrapping_ttl",
    "required_parameters",
];

impl Policy {
    /// Parses the text of a policy: HCL, or the same as JSON.
    ///
    /// # Errors
    /// The reason. OpenBao reads HCL version 1, which allows a few layouts that version 2 does not.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let stanzas = syntax::parse_stanzas(text)?;
        let rules = stanzas
            .into_iter()
            .map(|(path, attributes)| Rule::new(path, &attributes));
        Ok(Self {
            rules: rules.collect(),
        })
    }
}

impl Rule {
    fn new(path: String, attributes: &Map<String, Value>) -> Self {
        let capabilities = attributes.get("capabilities").and_then(Value::as_array);
        let capabilities = capabilities.into_iter().flatten();
        // `policy` is the older name of `capabilities`
        let words: Vec<_> = capabilities
            .chain(attributes.get("policy"))
            .filter_map(Value::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        Self {
            pattern: Pattern::parse(&path),
            path,
            has_conditions: CONDITIONS.iter().any(|name| attributes.contains_key(*name)),
            grants: !words.is_empty() && !words.contains(&"deny"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hcl_and_json_give_the_same_rules() {
        let hcl = "# a comment\nname = \"x\"\npath \"/secret/data/*\" {\n  capabilities = [\"read\", \"list\",]\n}\n\
                   path \"secret/+/x\" { capabilities = [\"deny\"] }\n";
        let json = r#"{"name": "x", "path": {"/secret/data/*": {"capabilities": ["read", "list"]},
                       "secret/+/x": [{"capabilities": ["deny"]}]}}"#;
        let policy = Policy::parse(hcl).unwrap();
        assert_eq!(policy.rules.len(), 2);
        assert_eq!(Policy::parse(json).unwrap(), policy);
    }

    #[test]
    fn an_empty_policy_has_no_rules() {
        for text in ["", "\n", "# nothing\n", "{}"] {
            assert_eq!(Policy::parse(text).unwrap().rules, [], "{text:?}");
        }
    }

    #[test]
    fn syntax_errors_have_a_reason_of_one_line() {
        for text in [
            "path \"a\" {",
            "path \"a\" { capabilities = [\"read\"] comment = \"x\" }",
            "path \"a\" \"b\" {}",
            "path \"a\" { capabilities = var.x }",
            "{\"path\": []",
            "{\"path\": 1}",
        ] {
            let reason = Policy::parse(text).unwrap_err();
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
        }
    }
}
