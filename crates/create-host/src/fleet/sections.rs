//! The sections of `fleet.toml` whose names the user chooses.

use serde::{Deserialize, Serialize};

use super::{
    checked::Checked,
    kinds::{
        Addresses, DomainName, EntryText, GrantPath, HostNameText, IpText, MapName, MountPath,
        NamespacePath, OptionalPath, PolicyName, RelativePath, SectionName, SystemName, Ttl,
    },
};

/// The settings under `[host_types.NAME]`. Those that are absent are the fleet's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HostType {
    pub(crate) template: Option<Checked<RelativePath>>,
    pub(crate) flake_entry: Option<Checked<EntryText>>,
    pub(crate) vm_entry: Option<Checked<EntryText>>,
    pub(crate) vms: Option<Checked<OptionalPath>>,
    pub(crate) vms_map: Option<Checked<MapName>>,
    pub(crate) gateway: Option<Checked<IpText>>,
    pub(crate) nameservers: Option<Vec<Checked<IpText>>>,
    pub(crate) domain: Option<Checked<DomainName>>,
    pub(crate) system: Option<Checked<SystemName>>,
}

/// The settings under `[environments.NAME]`. Those that are absent are the fleet's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Environment {
    pub(crate) address: Option<Checked<Addresses>>,
    pub(crate) namespace: Option<Checked<NamespacePath>>,
    pub(crate) kv_mount: Option<Checked<MountPath>>,
    pub(crate) approle_mount: Option<Checked<MountPath>>,
    pub(crate) wrap_ttl: Option<Checked<Ttl>>,
    pub(crate) flake: Option<Checked<RelativePath>>,
    pub(crate) hosts: Option<Checked<RelativePath>>,
    pub(crate) template: Option<Checked<RelativePath>>,
    pub(crate) vms: Option<Checked<OptionalPath>>,
    pub(crate) vms_map: Option<Checked<MapName>>,
    pub(crate) vault_terraform: Option<Checked<RelativePath>>,
    pub(crate) generated: Option<Checked<RelativePath>>,
}

/// Returns the header of a section of `kind`, with an example where its name is not allowed.
pub(crate) fn format_header(kind: &str, name: &str) -> String {
    let is_allowed = Checked::<SectionName>::try_from(name.to_owned()).is_ok();
    format!("[{kind}.{}]", if is_allowed { name } else { "NAME" })
}

/// The settings under `[hosts.NAME]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HostSection {
    /// The secrets that the host may read besides its own.
    pub(crate) grants: Vec<Checked<GrantPath>>,
    /// The policies of its role besides its own.
    pub(crate) policies: Vec<Checked<PolicyName>>,
}

/// The settings under `[groups.NAME]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    pub(crate) hosts: Vec<Checked<HostNameText>>,
    /// The secrets that the hosts of the group may read.
    pub(crate) grants: Vec<Checked<GrantPath>>,
}

impl HostType {
    /// Returns an example for each key.
    pub(super) fn with_all_keys() -> Self {
        Self {
            template: Some(Checked::unchecked("hosts/template-vps")),
            flake_entry: Some(Checked::unchecked("mkVps \"{hostname}\"")),
            vm_entry: Some(Checked::unchecked("ip = \"{ip}\"")),
            vms: Some(Checked::unchecked("")),
            vms_map: Some(Checked::unchecked("vps")),
            gateway: Some(Checked::unchecked("192.0.2.1")),
            nameservers: Some(vec![Checked::unchecked("192.0.2.53")]),
            domain: Some(Checked::unchecked("vps.example.org")),
            system: Some(Checked::unchecked("aarch64-linux")),
        }
    }
}

impl Environment {
    /// Returns an example for each key.
    pub(super) fn with_all_keys() -> Self {
        Self {
            address: Some(Checked::unchecked("https://openbao.example.internal:8200")),
            namespace: Some(Checked::unchecked("prod")),
            kv_mount: Some(Checked::unchecked("secret")),
            approle_mount: Some(Checked::unchecked("approle")),
            wrap_ttl: Some(Checked::unchecked("24h")),
            flake: Some(Checked::unchecked("flake.nix")),
            hosts: Some(Checked::unchecked("hosts/prod")),
            template: Some(Checked::unchecked("hosts/template")),
            vms: Some(Checked::unchecked("terraform/prod/vms.tf")),
            vms_map: Some(Checked::unchecked("vms")),
            vault_terraform: Some(Checked::unchecked("terraform/vault-prod")),
            generated: Some(Checked::unchecked(
                "terraform/vault-prod/hosts-generated.tf",
            )),
        }
    }
}

impl HostSection {
    /// Returns an example for each key.
    pub(super) fn with_all_keys() -> Self {
        Self {
            grants: vec![Checked::unchecked("shared/wifi")],
            policies: vec![Checked::unchecked("backup")],
        }
    }
}

impl Group {
    /// Returns an example for each key.
    pub(super) fn with_all_keys() -> Self {
        Self {
            hosts: vec![Checked::unchecked("web01")],
            grants: vec![Checked::unchecked("teams/media/*")],
        }
    }
}
