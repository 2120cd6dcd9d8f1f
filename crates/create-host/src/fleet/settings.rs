//! The settings of a fleet and their default values.

use std::{fmt, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use zts_infra_edit::vms::MapPlace;
use zts_openbao::Address;

use crate::{
    host,
    placeholders::{Misspelt, Placeholders},
};

/// The file with the fleet's settings.
pub(crate) const SETTINGS_FILE: &str = "fleet.toml";

/// All of `fleet.toml`. The default value also defines the keys that are allowed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) openbao: OpenBaoSettings,
    pub(crate) network: NetworkSettings,
    pub(crate) paths: Paths,
    pub(crate) text: EntryTexts,
    /// The place of the map of machines in its file.
    #[serde(skip)]
    pub(crate) vms_place: MapPlace,
}

impl Settings {
    /// Returns the default values, with an example for each key that has none.
    pub(crate) fn with_all_keys() -> Self {
        let mut settings = Self::default();
        settings.text.flake_entry = Some(Checked::unchecked("mkHost \"{hostname}\""));
        settings
    }
}

/// The settings under `[openbao]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OpenBaoSettings {
    pub(crate) address: Checked<Addresses>,
    pub(crate) kv_mount: Checked<MountPath>,
    pub(crate) approle_mount: Checked<MountPath>,
    pub(crate) wrap_ttl: Checked<Ttl>,
    pub(crate) bind_cidr: bool,
}

/// The settings under `[network]`, which all hosts share.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NetworkSettings {
    pub(crate) gateway: Checked<IpText>,
    pub(crate) nameservers: Vec<Checked<IpText>>,
    pub(crate) domain: Checked<DomainName>,
}

/// The settings under `[paths]`: the files to edit, from the fleet's root.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Paths {
    pub(crate) flake: Checked<RelativePath>,
    pub(crate) hosts: Checked<RelativePath>,
    pub(crate) template: Checked<RelativePath>,
    pub(crate) vms: Checked<OptionalPath>,
    pub(crate) vms_map: Checked<MapName>,
    pub(crate) vault_terraform: Checked<RelativePath>,
    pub(crate) generated: Checked<RelativePath>,
}

/// The settings under `[text]`: the texts of new entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EntryTexts {
    /// `None` to learn it from the other hosts; empty if the flake finds its hosts by itself.
    pub(crate) flake_entry: Option<Checked<EntryText>>,
    pub(crate) vm_entry: Checked<EntryText>,
}

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
    fn unchecked(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            kind: std::marker::PhantomData,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
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
        let Some(Misspelt { word, meant, .. }) = placeholders.find_misspelt(text) else {
            return Ok(());
        };
        Err(InvalidValue::new(
            format!("`{word}` is not a placeholder, did you mean `{meant}`?"),
            format!("allowed are `{}`", placeholders.list().join("`, `")),
        ))
    }
}

impl Default for OpenBaoSettings {
    fn default() -> Self {
        Self {
            address: Checked::unchecked("https://127.0.0.1:8200"),
            kv_mount: Checked::unchecked("secret"),
            approle_mount: Checked::unchecked("approle"),
            wrap_ttl: Checked::unchecked("24h"),
            bind_cidr: false,
        }
    }
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            gateway: Checked::unchecked("10.0.0.1"),
            nameservers: vec![Checked::unchecked("10.0.0.1")],
            domain: Checked::unchecked("example.internal"),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            flake: Checked::unchecked("flake.nix"),
            hosts: Checked::unchecked("hosts"),
            template: Checked::unchecked("hosts/template"),
            vms: Checked::unchecked("terraform/vms.tf"),
            vms_map: Checked::unchecked(""),
            vault_terraform: Checked::unchecked("terraform/vault"),
            generated: Checked::unchecked("terraform/vault/hosts-generated.tf"),
        }
    }
}

impl Default for EntryTexts {
    fn default() -> Self {
        Self {
            flake_entry: None,
            vm_entry: Checked::unchecked(""),
        }
    }
}
