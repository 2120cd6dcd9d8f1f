//! `terraform/vault/hosts-generated.tf`: the policies and AppRole roles of all hosts, wholly generated.
//!
//! The value that is rendered here is the one that is written through the API where there is no OpenTofu:
//! [`GeneratedHost::policy_name`], [`GeneratedHost::policy`], [`ROLE`] and [`GeneratedHost::bound_cidrs`] are all of it.

mod parse;
mod render;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

pub use parse::parse;
pub use render::render;

/// What a host may do in OpenBao.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeneratedHost {
    /// The host's name; also the name of its AppRole role.
    pub name: String,
    /// The capabilities (`read`, `list`, …) on each path of the policy; a path may end in `*` or hold `+`.
    pub paths: BTreeMap<String, BTreeSet<String>>,
    /// The address blocks that secret ids and tokens are bound to, such as `10.0.0.5/32`; empty for no bounds.
    pub bound_cidrs: BTreeSet<String>,
}

impl GeneratedHost {
    /// The name of the host's policy.
    pub fn policy_name(&self) -> String {
        format!("host-{}", self.name)
    }

    /// The text of the host's policy, byte for byte as OpenTofu writes it from the generated file.
    pub fn policy(&self) -> String {
        let rules = self.paths.iter().map(|(path, capabilities)| {
            let capabilities: Vec<String> = capabilities.iter().map(|name| json(name)).collect();
            format!(
                "path {} {{\n  capabilities = [{}]\n}}\n",
                json(path),
                capabilities.join(",")
            )
        });
        rules.collect::<Vec<_>>().join("\n")
    }
}

/// A string as OpenTofu's `jsonencode` writes it, which also escapes `<`, `>`, `&` and two line separators.
fn json(text: &str) -> String {
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

/// The settings that the AppRole role of every host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleSettings {
    /// How long a secret id is valid, in seconds; 0: for ever.
    pub secret_id_ttl: u32,
    /// How many logins a secret id is good for; 0: any number.
    pub secret_id_num_uses: u32,
    /// How long a token is valid, in seconds.
    pub token_ttl: u32,
    /// `batch`: a login writes nothing to storage, and leaves no lease behind.
    pub token_type: &'static str,
    /// Whether tokens go without OpenBao's policy `default`: a host reads its secrets and needs nothing else.
    pub token_no_default_policy: bool,
}

/// See the API page "AppRole auth method", "Create/update AppRole".
pub const ROLE: RoleSettings = RoleSettings {
    secret_id_ttl: 0,
    secret_id_num_uses: 0,
    token_ttl: 3600,
    token_type: "batch",
    token_no_default_policy: true,
};
