//! Which paths a policy has rules for: what finding grants that nobody uses takes. What a path's rules allow is
//! OpenBao's to say.

mod hcl;
mod json;
mod pattern;
mod rule;

use serde_json::{Map, Value};

pub(crate) use pattern::Pattern;
pub(crate) use rule::Rule;

/// A policy that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
}

/// One `path` of a policy with its attributes, whichever language it was written in.
type Stanza = (String, Map<String, Value>);

impl Policy {
    /// Understands a policy's text: HCL, or the same as JSON.
    ///
    /// # Errors
    /// Why not. OpenBao reads HCL version 1, which allows a few layouts more than version 2 does.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let stanzas = if text.trim_start().starts_with('{') {
            json::stanzas(text)?
        } else {
            hcl::stanzas(text)?
        };
        let rules = stanzas
            .into_iter()
            .map(|(path, attributes)| Rule::new(path, &attributes));
        Ok(Self {
            rules: rules.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_policy_in_both_languages_is_the_same() {
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
    fn what_is_not_understood_says_why() {
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
