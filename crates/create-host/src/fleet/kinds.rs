//! The kinds of text in `fleet.toml`, each checked when it is parsed.

use std::{cmp::Ordering, collections::BTreeMap, fmt, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use zts_openbao::Address;

use crate::{
    host::{self, HostName},
    placeholders::{Misspelt, Placeholders},
};

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
    fn new(problem: impl Into<String>, allowed: impl Into<String>) -> Self {
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

/// Addresses of one OpenBao cluster, separated by commas.
#[derive(Clone, Debug)]
pub(crate) struct Addresses;

impl Kind for Addresses {
    fn check(text: &str) -> Result<(), InvalidValue> {
        Address::parse_list(text).map(drop).map_err(|error| {
            InvalidValue::new(error.to_string(), "write it like `https://10.0.0.5:8200`")
        })
    }
}

/// The path of a mount in OpenBao.
#[derive(Clone, Debug)]
pub(crate) struct MountPath;

impl Kind for MountPath {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(letter);
        if text.split('/').all(segment) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not the path of a mount"),
            "allowed are ASCII letters, digits, `-`, `_` and `.`, and single `/` between the parts",
        ))
    }
}

/// A time to live.
#[derive(Clone, Debug)]
pub(crate) struct Ttl;

impl Kind for Ttl {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let parsed = humantime::parse_duration(text).ok();
        let longest = Duration::from_secs(10 * 365 * 24 * 3600); // OpenBao cannot count 300 years
        let allowed = Duration::from_secs(1)..=longest;
        if parsed.is_some_and(|time| allowed.contains(&time) && time.subsec_nanos() == 0) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not a time between one second and ten years"),
            "write a number with `s`, `m` or `h`, such as `24h`",
        ))
    }
}

impl Checked<Ttl> {
    pub(crate) fn duration(&self) -> Duration {
        humantime::parse_duration(&self.text).unwrap_or_default()
    }
}

/// An address without a prefix length.
#[derive(Clone, Debug)]
pub(crate) struct IpText;

impl Kind for IpText {
    fn check(text: &str) -> Result<(), InvalidValue> {
        text.parse::<IpAddr>().map(drop).map_err(|_| {
            InvalidValue::new(
                format!("`{text}` is not an IP address"),
                "write it like `10.0.0.1` or `fd00::1`, without a prefix length",
            )
        })
    }
}

impl Checked<IpText> {
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.text.parse().ok()
    }
}

/// A DNS domain.
#[derive(Clone, Debug)]
pub(crate) struct DomainName;

impl Kind for DomainName {
    fn check(text: &str) -> Result<(), InvalidValue> {
        if host::is_domain(text) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not a domain"),
            "allowed are lower-case letters, digits and hyphens, separated by dots, such as `example.internal`",
        ))
    }
}

/// A path inside the fleet.
#[derive(Clone, Debug)]
pub(crate) struct RelativePath;

impl Kind for RelativePath {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let inside = |part: &str| !matches!(part, "" | "." | "..");
        if text.split('/').all(inside) && !text.contains(char::is_control) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not a path inside the fleet"),
            "write a path relative to `fleet.toml`, without `.` and `..`",
        ))
    }
}

/// A path inside the fleet, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct OptionalPath;

impl Kind for OptionalPath {
    fn check(text: &str) -> Result<(), InvalidValue> {
        if text.is_empty() {
            return Ok(());
        }
        RelativePath::check(text)
    }
}

/// The name of the map of machines, or its path; empty if it is inferred.
#[derive(Clone, Debug)]
pub(crate) struct MapName;

impl Kind for MapName {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let letter = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
        if text.chars().all(letter) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not the name of a map"),
            "write it like `machines`, or with its place like `locals.machines` or `variable.machines.default`",
        ))
    }
}

/// The text of a new entry.
#[derive(Clone, Debug)]
pub(crate) struct EntryText;

impl Kind for EntryText {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let placeholders = Placeholders::BRACES;
        let Some(Misspelt { word, meant, .. }) = placeholders.find_misspelt(text, &BTreeMap::new())
        else {
            return Ok(());
        };
        Err(InvalidValue::new(
            format!("`{word}` is not a placeholder, did you mean `{meant}`?"),
            format!("allowed are `{}`", placeholders.list().join("`, `")),
        ))
    }
}

/// The name of a host type, an environment or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SectionName;

impl Kind for SectionName {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if !text.is_empty() && text.chars().all(|one| letter(one) || one == '-') {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` cannot be the name of a section"),
            "allowed are lower-case letters, digits and hyphens, such as `vps`",
        ))
    }
}

/// The name of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostNameText;

impl Kind for HostNameText {
    fn check(text: &str) -> Result<(), InvalidValue> {
        HostName::parse(text).map(drop).map_err(|failure| {
            InvalidValue::new(failure.message(), failure.hint_text().unwrap_or_default())
        })
    }
}

/// A system of Nix.
#[derive(Clone, Debug)]
pub(crate) struct SystemName;

impl Kind for SystemName {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let is_word = |word: &str| {
            let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
            !word.is_empty() && word.chars().all(|one| letter(one) || one == '_')
        };
        let words = text.split_once('-');
        if words.is_some_and(|(processor, kernel)| is_word(processor) && is_word(kernel)) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not a system of Nix"),
            "write it like `x86_64-linux` or `aarch64-linux`",
        ))
    }
}

/// The path of a namespace in OpenBao; empty for the root namespace.
#[derive(Clone, Debug)]
pub(crate) struct NamespacePath;

impl Kind for NamespacePath {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(letter);
        if text.is_empty() || text.split('/').all(segment) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not the path of a namespace"),
            "allowed are ASCII letters, digits, `-`, `_` and `.`, and single `/` between the parts",
        ))
    }
}

/// The path of a secret below a KV mount, or of all below a folder (`…/*`).
#[derive(Clone, Debug)]
pub(crate) struct GrantPath;

impl Kind for GrantPath {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let example = "write it below the mount, like `shared/wifi`, or `teams/media/*` for all below a folder";
        if matches!(text, "*" | "hosts/*") {
            return Err(InvalidValue::new(
                format!("`{text}` has the secrets of every host, which no host may read"),
                example,
            ));
        }
        if text.split('/').any(|segment| segment == "+") {
            return Err(InvalidValue::new(
                format!("`{text}` has a `+`, which matches any name, also that of a host"),
                "name each path",
            ));
        }
        if let Some((kind, path)) = text.split_once('/')
            && ["data", "metadata", "detailed-metadata"].contains(&kind)
        {
            return Err(InvalidValue::new(
                format!("`{text}` begins with `{kind}`, which is a part of the API's path"),
                format!("write the secret's own path: `{path}`"),
            ));
        }
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(letter);
        let folder = text.strip_suffix("/*").unwrap_or(text);
        if folder.split('/').all(segment) {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not the path of a secret"),
            example,
        ))
    }
}

/// The name of a policy in OpenBao.
#[derive(Clone, Debug)]
pub(crate) struct PolicyName;

impl Kind for PolicyName {
    fn check(text: &str) -> Result<(), InvalidValue> {
        let letter = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_./".contains(letter)
        };
        if !text.is_empty() && text.chars().all(letter) && text != "root" {
            return Ok(());
        }
        Err(InvalidValue::new(
            format!("`{text}` is not the name of a policy for hosts"),
            "allowed are lower-case letters, digits, `-`, `_`, `.` and `/`, but not `root`",
        ))
    }
}
