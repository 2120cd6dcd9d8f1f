//! What a fleet can say of itself, with the values that hold where it says nothing.

use std::{fmt, net::IpAddr, time::Duration};

use openbao::Address;
use serde::{Deserialize, Serialize};

use crate::{host, placeholders::Placeholders};

/// All of `fleet.toml`. The default value is also the list of the keys that are allowed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) openbao: OpenBao,
    pub(crate) network: Network,
    pub(crate) paths: Paths,
    pub(crate) text: Text,
}

/// The server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OpenBao {
    pub(crate) address: Checked<Addresses>,
    pub(crate) kv_mount: Checked<Mount>,
    pub(crate) approle_mount: Checked<Mount>,
    pub(crate) wrap_ttl: Checked<Ttl>,
    pub(crate) bind_cidr: bool,
}

/// What hosts have in common in the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Network {
    pub(crate) gateway: Checked<Ip>,
    pub(crate) nameservers: Vec<Checked<Ip>>,
    pub(crate) domain: Checked<Domain>,
}

/// The files that are edited, from the fleet's root.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Paths {
    pub(crate) flake: Checked<Inside>,
    pub(crate) hosts: Checked<Inside>,
    pub(crate) template: Checked<Inside>,
    pub(crate) vms: Checked<Inside>,
    pub(crate) vault_terraform: Checked<Inside>,
    pub(crate) generated: Checked<Inside>,
}

/// The texts of new entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Text {
    pub(crate) flake_entry: Checked<Entry>,
    pub(crate) vm_entry: Checked<Entry>,
}

/// A kind of text that is checked when it is read.
pub(crate) trait Kind {
    /// What is wrong with `text`, and behind a line break what is allowed.
    fn check(text: &str) -> Result<(), String>;
}

/// A text that passed the check of its kind.
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
    fn known(text: &str) -> Self {
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
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        K::check(&text).map(|()| Self::known(&text))
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

/// Addresses of one OpenBao cluster, with commas between.
#[derive(Clone, Debug)]
pub(crate) struct Addresses;

impl Kind for Addresses {
    fn check(text: &str) -> Result<(), String> {
        let read = Address::parse_list(text);
        read.map(|_| ())
            .map_err(|error| format!("{error}\nan address reads `https://10.0.0.5:8200`"))
    }
}

/// The path of a mount in OpenBao.
#[derive(Clone, Debug)]
pub(crate) struct Mount;

impl Kind for Mount {
    fn check(text: &str) -> Result<(), String> {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(letter);
        if text.split('/').all(segment) {
            return Ok(());
        }
        Err(format!(
            "`{text}` is not the path of a mount\nASCII letters, digits, `-`, `_` and `.`, with `/` between the parts only"
        ))
    }
}

/// How long something lives.
#[derive(Clone, Debug)]
pub(crate) struct Ttl;

impl Kind for Ttl {
    fn check(text: &str) -> Result<(), String> {
        let read = humantime::parse_duration(text).ok();
        let longest = Duration::from_secs(10 * 365 * 24 * 3600); // OpenBao cannot count 300 years
        let allowed = Duration::from_secs(1)..=longest;
        if read.is_some_and(|time| allowed.contains(&time) && time.subsec_nanos() == 0) {
            return Ok(());
        }
        Err(format!(
            "`{text}` is not a time between one second and ten years\na number with `s`, `m` or `h`, such as `24h`"
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
pub(crate) struct Ip;

impl Kind for Ip {
    fn check(text: &str) -> Result<(), String> {
        let read = text.parse::<IpAddr>();
        read.map(|_| ()).map_err(|_| {
            format!(
                "`{text}` is not an IP address\n`10.0.0.1` or `fd00::1`, without a prefix length"
            )
        })
    }
}

impl Checked<Ip> {
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.text.parse().ok()
    }
}

/// A DNS domain.
#[derive(Clone, Debug)]
pub(crate) struct Domain;

impl Kind for Domain {
    fn check(text: &str) -> Result<(), String> {
        if text.len() <= 253 && text.split('.').all(host::is_label) {
            return Ok(());
        }
        Err(format!(
            "`{text}` is not a domain\nlower-case letters, digits and hyphens, with dots between, such as `example.internal`"
        ))
    }
}

/// A path that stays inside the fleet.
#[derive(Clone, Debug)]
pub(crate) struct Inside;

impl Kind for Inside {
    fn check(text: &str) -> Result<(), String> {
        let inside = |part: &str| !matches!(part, "" | "." | "..");
        if text.split('/').all(inside) && !text.contains(char::is_control) {
            return Ok(());
        }
        Err(format!(
            "`{text}` is not a path inside the fleet\na path relative to `fleet.toml`, without `.` and `..`"
        ))
    }
}

/// The text of a new entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry;

impl Kind for Entry {
    fn check(text: &str) -> Result<(), String> {
        Placeholders::BRACES.check(text)
    }
}

impl Default for OpenBao {
    fn default() -> Self {
        Self {
            address: Checked::known("https://127.0.0.1:8200"),
            kv_mount: Checked::known("secret"),
            approle_mount: Checked::known("approle"),
            wrap_ttl: Checked::known("24h"),
            bind_cidr: false,
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            gateway: Checked::known("10.0.0.1"),
            nameservers: vec![Checked::known("10.0.0.1")],
            domain: Checked::known("example.internal"),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            flake: Checked::known("flake.nix"),
            hosts: Checked::known("hosts"),
            template: Checked::known("hosts/template"),
            vms: Checked::known("terraform/vms.tf"),
            vault_terraform: Checked::known("terraform/vault"),
            generated: Checked::known("terraform/vault/hosts-generated.tf"),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self {
            flake_entry: Checked::known("mkHost \"{hostname}\""),
            vm_entry: Checked::known("ip = \"{ip}\"\n"),
        }
    }
}
