//! Matches paths with rules, as OpenBao's `vault/acl.go` does.

/// The parsed path of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// One path.
    Exact(String),
    /// All paths with this prefix: `text*`.
    Prefix(String),
    /// Paths with any segment in place of a `+`.
    Segments {
        /// The path without a final `*`.
        text: String,
        /// True if there was a final `*`.
        is_prefix: bool,
    },
    /// A path with `{{…}}`, which OpenBao fills in for each login: the texts before the first and
    /// after the last of them.
    Templated { before: String, after: String },
}

impl Pattern {
    pub(crate) fn parse(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Some((before, _)) = path.split_once("{{") {
            let after = path.rsplit_once("}}").map_or("*", |(_, after)| after);
            return Self::Templated {
                before: before.to_owned(),
                after: after.to_owned(),
            };
        }
        let without_star = path.strip_suffix('*');
        if path == "+" || path.starts_with("+/") || path.contains("/+") {
            return Self::Segments {
                text: without_star.unwrap_or(path).to_owned(),
                is_prefix: without_star.is_some(),
            };
        }
        match without_star {
            Some(text) => Self::Prefix(text.to_owned()),
            None => Self::Exact(path.to_owned()),
        }
    }

    /// Returns whether the path depends on the identity that logs in.
    pub(crate) fn is_templated(&self) -> bool {
        matches!(self, Self::Templated { .. })
    }

    /// Returns whether the rule applies to `path`, or may apply if it has a template.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(text) => path.starts_with(text.as_str()),
            Self::Segments { text, is_prefix } => segments_match(text, *is_prefix, path),
            Self::Templated { before, after } => may_match(before, after, path),
        }
    }

    /// Returns the common prefix of all paths that the rule applies to.
    pub(crate) fn fixed_prefix(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
            Self::Segments { text, .. } => before_wildcard(text),
            Self::Templated { before, .. } => before_wildcard(before),
        }
    }
}

fn segments_match(text: &str, is_prefix: bool, path: &str) -> bool {
    let (wanted, there): (Vec<_>, Vec<_>) = (text.split('/').collect(), path.split('/').collect());
    if there.len() < wanted.len() || (!is_prefix && there.len() != wanted.len()) {
        return false;
    }
    let last = wanted.len() - 1;
    wanted
        .iter()
        .zip(&there)
        .enumerate()
        .all(|(index, (wanted, there))| {
            *wanted == "+"
                || wanted == there
                || (is_prefix && index == last && there.starts_with(wanted))
        })
}

/// Returns the text before the first `+`.
fn before_wildcard(text: &str) -> &str {
    text.split_once('+').map_or(text, |(before, _)| before)
}

/// Returns whether a path with a template may match: a template can become any text.
fn may_match(before: &str, after: &str, path: &str) -> bool {
    let starts = path.starts_with(before_wildcard(before));
    let ends = after.contains(['*', '+']) || path.ends_with(after);
    starts && ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_openbao() {
        for (pattern, path, expected) in [
            ("secret/a", "secret/a", true),
            ("/secret/a", "secret/a", true),
            ("secret/a", "secret/a/b", false),
            ("secret/a/", "secret/a", false),
            ("secret/a*", "secret/ab/c", true),
            ("secret/a/*", "secret/a", false),
            ("*", "secret/a", true),
            ("secret/*/b", "secret/a/b", false), // a `*` within is an ordinary character
            ("secret/+/b", "secret/a/b", true),
            ("secret/+/b", "secret/a/x/b", false),
            ("secret/+", "secret/a/b", false),
            ("secret/+/b*", "secret/a/bc/d", true),
            ("secret/+/b*", "secret/a/c", false),
            ("secret/+/*", "secret/a/b/c", true),
            ("secret/+/*", "secret/a", false),
            ("secret/x+y", "secret/x+y", true),
            ("secret/x+y", "secret/xzy", false),
            ("secret/+x", "secret/+x", true),
            ("secret/+x", "secret/yx", false),
            ("+/+/+", "a/b/c", true),
            ("secret/{{identity.entity.id}}/x", "secret/1/x", true),
            ("secret/{{identity.entity.id}}/x", "other/1/x", false),
            ("secret/{{identity.entity.id}}/x", "secret/1/y", false),
            ("secret/{{identity.entity.id}}/*", "secret/1/y", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).matches(path),
                expected,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn a_fixed_prefix_ends_before_wildcards() {
        for (pattern, start) in [
            ("secret/a", "secret/a"),
            ("secret/a*", "secret/a"),
            ("secret/+/b", "secret/"),
            ("s/{{x}}/*", "s/"),
            ("*", ""),
        ] {
            assert_eq!(Pattern::parse(pattern).fixed_prefix(), start);
        }
    }
}
