//! Texts that are checked when they are parsed.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// A kind of text that is checked when it is parsed.
pub(crate) trait Kind {
    /// Checks that `text` is of this kind.
    fn check(text: &str) -> Result<(), InvalidValue>;
}

/// A value that a setting cannot have.
///
/// Its text has two lines, [`Self::split`] again: the parser of TOML passes on nothing but a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidValue {
    problem: String,
    allowed: String,
}

impl InvalidValue {
    pub(super) fn new(problem: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            allowed: allowed.into(),
        }
    }

    /// Splits the text of an error into the problem and the values that are allowed.
    pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
        text.split_once('\n')
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.problem, self.allowed)
    }
}

/// A text that has passed the check of its kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(serialize = "K: Kind + Clone", deserialize = "K: Kind")
)]
pub(crate) struct Checked<K> {
    text: String,
    kind: std::marker::PhantomData<K>,
}

impl<K> Checked<K> {
    pub(super) fn unchecked(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            kind: std::marker::PhantomData,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> Ord for Checked<K>
where
    Self: Eq,
{
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl<K> PartialOrd for Checked<K>
where
    Self: Eq,
{
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Kind> TryFrom<String> for Checked<K> {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        K::check(&text).map(|()| Self::unchecked(&text))
    }
}

impl<K> From<Checked<K>> for String {
    fn from(checked: Checked<K>) -> Self {
        checked.text
    }
}

impl<K> fmt::Display for Checked<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Checked<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}
