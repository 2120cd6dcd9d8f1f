//! The kinds of text in `fleet.toml`.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use zts_openbao::Address;

use super::checked::{Checked, InvalidValue, Kind};
use crate::{
    host::{self, HostName},
    placeholders::{Misspelt, Placeholders},
};

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

/// Returns whether a text is a path in OpenBao that needs no quoting anywhere.
fn is_path(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(letter);
    text.split('/').all(segment)
}

/// Checks the path of a mount or namespace.
fn check_path(text: &str, owner: &str) -> Result<(), InvalidValue> {
    if is_path(text) {
        return Ok(());
    }
    Err(InvalidValue::new(
        format!("`{text}` is not the path of a {owner}"),
        "allowed are ASCII letters, digits, `-`, `_` and `.`, and single `/` between the parts",
    ))
}

/// The path of a mount in OpenBao.
#[derive(Clone, Debug)]
pub(crate) struct MountPath;

impl Kind for MountPath {
    fn check(text: &str) -> Result<(), InvalidValue> {
        check_path(text, "mount")
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
        humantime::parse_duration(self.as_str()).unwrap_or_default()
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
        self.as_str().parse().ok()
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
        if text.is_empty() {
            return Ok(());
        }
        check_path(text, "namespace")
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
        if is_path(text.strip_suffix("/*").unwrap_or(text)) {
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
