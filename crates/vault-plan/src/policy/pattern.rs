//! Which paths a rule is for (OpenBao's `vault/acl.go`).

/// A rule's path, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This path only.
    Exact(String),
    /// `text*`: everything that begins so.
    Prefix(String),
    /// With `+` for a segment.
    Segments {
        /// Without the final `*`.
        text: String,
        /// Whether there was one.
        is_prefix: bool,
    },
    /// With `{{…}}`, which OpenBao fills in for each login: what stands before the first and behind
    /// the last of them.
    Templated { before: String, behind: String },
}

impl Pattern {
    pub(crate) fn parse(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Some((before, _)) = path.split_once("{{") {
            let behind = path.rsplit_once("}}").map_or("*", |(_, behind)| behind);
            return Self::Templated {
                before: before.to_owned(),
                behind: behind.to_owned(),
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

    /// Whether it depends on who logs in.
    pub(crate) fn is_templated(&self) -> bool {
        matches!(self, Self::Templated { .. })
    }

    /// Whether the rule is for `path`; with a template in it, whether it may be.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(text) => path.starts_with(text.as_str()),
            Self::Segments { text, is_prefix } => segments_match(text, *is_prefix, path),
            Self::Templated { before, behind } => may_match(before, behind, path),
        }
    }

    /// What every path that the rule is for begins with.
    pub(crate) fn fixed_start(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
            Self::Segments { text, .. } => until_free_segment(text),
            Self::Templated { before, .. } => until_free_segment(before),
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

/// Up to a `+`, or all of it.
fn until_free_segment(text: &str) -> &str {
    text.split_once('+').map_or(text, |(before, _)| before)
}

/// A template can become anything, with or without a `/`.
fn may_match(before: &str, behind: &str, path: &str) -> bool {
    let starts = path.starts_with(until_free_segment(before));
    let ends = behind.contains(['*', '+']) || path.ends_with(behind);
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
            ("secret/*/b", "secret/a/b", false), // a `*` within is a letter as others
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
    fn a_fixed_start_ends_before_what_is_free() {
        for (pattern, start) in [
            ("secret/a", "secret/a"),
            ("secret/a*", "secret/a"),
            ("secret/+/b", "secret/"),
            ("s/{{x}}/*", "s/"),
            ("*", ""),
        ] {
            assert_eq!(Pattern::parse(pattern).fixed_start(), start);
        }
    }
}
