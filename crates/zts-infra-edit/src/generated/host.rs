//! The access of a host to OpenBao.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hcl_edit::structure::Structure;

use crate::hcl;

/// The access of a host to OpenBao.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeneratedHost {
    /// The host's name; also the name of its AppRole role.
    pub name: String,
    /// The capabilities (`read`, `list`, …) on each path of the policy; a path may end in `*` or
    /// hold `+`.
    pub paths: BTreeMap<String, BTreeSet<String>>,
    /// The address blocks that secret ids and tokens are bound to, such as `10.0.0.5/32`; empty for
    /// no bounds.
    pub bound_cidrs: BTreeSet<String>,
    /// The names of policies that the role has besides the host's own.
    pub more_policies: BTreeSet<String>,
}

impl GeneratedHost {
    /// Returns the name of the host's policy.
    pub fn policy_name(&self) -> String {
        format!("host-{}", self.name)
    }

    /// Returns the names of all policies of the host's role.
    pub fn token_policies(&self) -> BTreeSet<String> {
        let mut names = self.more_policies.clone();
        names.insert(self.policy_name());
        names
    }

    /// Returns the text of the host's policy, byte for byte as OpenTofu writes it from the
    /// generated file.
    pub fn policy(&self) -> String {
        let rules = self.paths.iter().map(|(path, capabilities)| {
            let capabilities: Vec<String> =
                capabilities.iter().map(|name| encode_json(name)).collect();
            format!(
                "path {} {{\n  capabilities = [{}]\n}}\n",
                encode_json(path),
                capabilities.join(",")
            )
        });
        rules.collect::<Vec<_>>().join("\n")
    }
}

/// Returns the paths of a policy with their capabilities; `None` for a policy with any other part,
/// or with two rules for one path.
pub fn parse_policy(text: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let body = hcl::parse_file(text).ok()?;
    let mut paths = BTreeMap::new();
    for structure in &body {
        let Structure::Block(block) = structure else {
            return None;
        };
        let [label] = block.labels.as_slice() else {
            return None;
        };
        let mut attributes = block.body.iter();
        let capabilities = match (attributes.next(), attributes.next()) {
            (Some(Structure::Attribute(attribute)), None) if attribute.has_key("capabilities") => {
                hcl::literal_strings(&attribute.value)?
            }
            _ => return None,
        };
        let is_first = paths.insert(label.as_str().to_owned(), capabilities);
        if !block.has_ident("path") || is_first.is_some() {
            return None;
        }
    }
    Some(paths)
}

/// Encodes a string like OpenTofu's `jsonencode`, which also escapes `<`, `>`, `&` and two line
/// separators.
fn encode_json(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// The settings of every host's AppRole role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleSettings {
    /// The lifetime of a secret id in seconds; 0 for no limit.
    pub secret_id_ttl: u32,
    /// The number of logins with a secret id; 0 for no limit.
    pub secret_id_num_uses: u32,
    /// The lifetime of a token in seconds.
    pub token_ttl: u32,
    /// The type of tokens. The login for a `batch` token writes nothing to storage and leaves no
    /// lease.
    pub token_type: &'static str,
    /// True if tokens lack OpenBao's policy `default`. A host needs only its secrets.
    pub token_no_default_policy: bool,
}

/// The settings of roles (API page "AppRole auth method", "Create/update AppRole").
pub const ROLE: RoleSettings = RoleSettings {
    secret_id_ttl: 0,
    secret_id_num_uses: 0,
    token_ttl: 3600,
    token_type: "batch",
    token_no_default_policy: true,
};
