//! The form of the first systems: each host has `paths = [path]`, and the resource of the policies
//! has the capabilities.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object};
use hcl_edit::structure::Body;

use crate::hcl;

/// The labels of the policies' resource.
pub(super) const POLICIES: [&str; 2] = ["vault_policy", "generated_host_policies"];

/// A rule of the policies' template: a path with `${…}` in it, and the capabilities.
pub(super) struct Rule {
    path: String,
    capabilities: BTreeSet<String>,
}

/// Returns the paths of a host; `None` for another form.
pub(super) fn parse_paths(object: &Object) -> Option<BTreeSet<String>> {
    let mut paths = None;
    for (key, item) in object {
        match hcl::key_name(key).as_deref() {
            Some("paths") => paths = hcl::literal_strings(item.expr()),
            _ => return None,
        }
    }
    paths
}

/// Returns the rules in the template of the policies; `None` if there is none that can be read.
pub(super) fn policy_rules(source: &str, body: &Body) -> Option<Vec<Rule>> {
    let policies = body
        .blocks()
        .find(|block| block.has_exact_labels(&POLICIES))?;
    let policy = &policies.body.get_attribute("policy")?.value;
    if let Expression::Variable(_) | Expression::Traversal(_) = policy {
        return None;
    }
    let text = source[policy.span()?].replace("\\\"", "\"");
    let mut rules = Vec::new();
    for part in text.split("path \"").skip(1) {
        let (path, rest) = part.split_once('"')?;
        let (_, list) = rest.split_once("capabilities")?;
        let (list, _) = list.split_once('[')?.1.split_once(']')?;
        let words = list.split(',').map(|word| word.trim().trim_matches('"'));
        let capabilities: BTreeSet<String> = words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let is_word = |word: &String| word.bytes().all(|letter| letter.is_ascii_lowercase());
        if capabilities.is_empty() || !capabilities.iter().all(is_word) {
            return None;
        }
        rules.push(Rule {
            path: path.to_owned(),
            capabilities,
        });
    }
    Some(rules).filter(|rules| !rules.is_empty())
}

/// Returns the paths of a host with their capabilities; `None` if a rule has a template that is not
/// the host's name or one of its paths.
pub(super) fn apply_rules(
    rules: &[Rule],
    name: &str,
    paths: &BTreeSet<String>,
) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in rules {
        let own = rule.path.replace("${each.key}", name);
        let rendered: Vec<String> = match own.split_once("${") {
            None => vec![own],
            Some((before, rest)) => {
                let (_, after) = rest.split_once('}')?;
                paths
                    .iter()
                    .map(|path| format!("{before}{path}{after}"))
                    .collect()
            }
        };
        for path in rendered {
            if path.contains("${") {
                return None;
            }
            let capabilities = rule.capabilities.iter().cloned();
            granted.entry(path).or_default().extend(capabilities);
        }
    }
    Some(granted)
}
