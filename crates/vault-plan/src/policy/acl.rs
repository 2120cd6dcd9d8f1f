//! Several policies together, and what they say of a path.

use super::{Pattern, Policy, Rights, Rule};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    /// Of a folder: its path ends in `/`.
    List,
}

/// The policies of one login.
#[derive(Debug, Default)]
pub(crate) struct Acl {
    entries: Vec<Entry>,
    /// Rules that depend on who logs in.
    templated: Vec<(Source, Rule)>,
}

/// All rules of one path.
#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    rights: Rights,
    source: Source,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) policy: String,
    /// The path as it is written there.
    pub(crate) path: String,
}

/// What the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// By the rule that the path follows; `None` where no rule is for it.
    Denied(Option<Source>),
    /// It depends on more than the path: on this rule, for this reason.
    Unknown(Source, &'static str),
}

impl Acl {
    /// Adds a policy. The order of policies has no meaning.
    pub(crate) fn add(&mut self, name: &str, policy: &Policy) {
        for rule in &policy.rules {
            let source = Source {
                policy: name.to_owned(),
                path: rule.path.clone(),
            };
            if matches!(rule.pattern, Pattern::Templated { .. }) {
                self.templated.push((source, rule.clone()));
            } else {
                self.add_rule(source, rule);
            }
        }
    }

    fn add_rule(&mut self, source: Source, rule: &Rule) {
        let same = |entry: &&mut Entry| entry.pattern == rule.pattern;
        if let Some(entry) = self.entries.iter_mut().find(same) {
            if rule.rights.deny && !entry.rights.deny {
                entry.source = source;
            }
            entry.rights.merge(&rule.rights);
            return;
        }
        self.entries.push(Entry {
            pattern: rule.pattern.clone(),
            rights: rule.rights.clone(),
            source,
        });
    }

    /// What the policies say of `operation` on `path`.
    pub(crate) fn verdict(&self, operation: Operation, path: &str) -> Verdict {
        let followed = self.followed(operation, path);
        let plain = followed.map_or(Verdict::Denied(None), |entry| entry.verdict(operation));
        let allowed = plain == Verdict::Allowed;
        // filled in, such a rule may come before the others, or not
        let other = self.templated.iter().find(|(_, rule)| {
            rule.pattern.matches(path) && rule.rights.allow(operation) != allowed
        });
        match other {
            Some((source, _)) => Verdict::Unknown(source.clone(), "it depends on who logs in"),
            None => plain,
        }
    }

    /// The rule that a path follows. A listing is looked for without its final `/`, too.
    fn followed(&self, operation: Operation, path: &str) -> Option<&Entry> {
        let folder = path
            .strip_suffix('/')
            .filter(|_| operation == Operation::List);
        self.exact(path)
            .or_else(|| self.exact(folder?))
            .or_else(|| self.best(path))
            .or_else(|| self.best(folder?))
    }

    fn exact(&self, path: &str) -> Option<&Entry> {
        let is = |entry: &&Entry| matches!(&entry.pattern, Pattern::Exact(text) if text == path);
        self.entries.iter().find(is)
    }

    fn best(&self, path: &str) -> Option<&Entry> {
        let matching = self
            .entries
            .iter()
            .filter(|entry| entry.pattern.matches(path));
        let ranked = matching.filter_map(|entry| Some((entry.pattern.priority()?, entry)));
        ranked
            .max_by(|(one, _), (other, _)| one.cmp(other))
            .map(|(_, entry)| entry)
    }
}

impl Entry {
    fn verdict(&self, operation: Operation) -> Verdict {
        match self.rights.condition {
            Some(condition) if self.rights.allow(operation) || condition == "expiration" => {
                Verdict::Unknown(self.source.clone(), condition_says(condition))
            }
            _ if self.rights.allow(operation) => Verdict::Allowed,
            _ => Verdict::Denied(Some(self.source.clone())),
        }
    }
}

fn condition_says(condition: &str) -> &'static str {
    match condition {
        "expiration" => "it has an `expiration`",
        "control_group" => "it has a `control_group`",
        "required_parameters" => "it has `required_parameters`",
        _ => "it asks for a wrapped answer",
    }
}

impl Rights {
    fn allow(&self, operation: Operation) -> bool {
        match operation {
            Operation::Read => self.read,
            Operation::List => self.list,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(rules: &[(&str, &str)]) -> Acl {
        let mut acl = Acl::default();
        for (number, (path, rights)) in rules.iter().enumerate() {
            let text = format!("path \"{path}\" {{\n  capabilities = [{rights}]\n}}\n");
            acl.add(&format!("p{number}"), &Policy::parse(&text).unwrap());
        }
        acl
    }

    /// Both rules are for the path; the first is followed, whichever comes first.
    #[test]
    fn the_more_exact_rule_is_followed() {
        for (path, followed, other) in [
            ("s/a/b", "s/a/b", "s/a/*"),
            ("s/a/b", "s/a/b", "s/+/b"),
            ("s/a/b", "s/a/*", "s/*"),
            ("s/ab/c", "s/a*", "s/+/c"),
            ("s/a/b/c", "s/a/+/c", "s/+/b/c"),
            ("s/a/bc", "s/+/bc", "s/+/b*"),
            ("s/a", "s/+", "s/*"),
            ("s/a/b/c", "s/a/+/c", "s/a/+/+"),
            ("s/a/bcd", "s/+/bc*", "s/+/b*"),
        ] {
            let (read, deny) = (r#""read""#, r#""deny""#);
            for allowing in [
                acl(&[(followed, read), (other, deny)]),
                acl(&[(other, deny), (followed, read)]),
            ] {
                let verdict = allowing.verdict(Operation::Read, path);
                assert_eq!(verdict, Verdict::Allowed, "{followed} before {other}");
            }
            let denying = acl(&[(other, read), (followed, deny)]);
            let source = Source {
                policy: "p1".to_owned(),
                path: followed.to_owned(),
            };
            let verdict = denying.verdict(Operation::Read, path);
            assert_eq!(verdict, Verdict::Denied(Some(source)));
        }
    }

    #[test]
    fn rules_of_one_path_add_up_and_deny_beats_them() {
        let both = acl(&[("s/*", r#""list""#), ("/s/*", r#""read""#)]);
        assert_eq!(both.verdict(Operation::Read, "s/a"), Verdict::Allowed);
        assert_eq!(both.verdict(Operation::List, "s/a/"), Verdict::Allowed);
        assert_eq!(both.verdict(Operation::Read, "t"), Verdict::Denied(None));
        let denied = acl(&[("s/*", r#""read""#), ("s/*", r#""list", "deny""#)]);
        let verdict = denied.verdict(Operation::Read, "s/a");
        assert!(matches!(verdict, Verdict::Denied(Some(source)) if source.policy == "p1"));
    }

    #[test]
    fn a_listing_follows_rules_without_the_final_slash_too() {
        for (rule, allowed) in [
            ("s/a/", true),
            ("s/a", true),
            ("s/+", true),
            ("s/a/b", false),
        ] {
            let verdict = acl(&[(rule, r#""list""#)]).verdict(Operation::List, "s/a/");
            assert_eq!(verdict == Verdict::Allowed, allowed, "{rule}");
        }
    }
}
