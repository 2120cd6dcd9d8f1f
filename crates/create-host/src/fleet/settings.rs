//! The settings of a fleet and their default values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toml_edit::ser;
use zts_infra_edit::vms::MapPlace;

use super::{
    checked::Checked,
    kinds::{
        Addresses, DomainName, EntryText, HostNameText, IpText, MapName, MountPath, NamespacePath,
        OptionalPath, RelativePath, SectionName, SystemName, Ttl,
    },
    sections::{Environment, Group, HostSection, HostType},
};

/// The file with the fleet's settings.
pub(crate) const SETTINGS_FILE: &str = "fleet.toml";

/// The name in place of those that the user chooses, in the settings with all keys.
pub(super) const ANY_NAME: &str = "NAME";

/// All of `fleet.toml`. The default value also defines the keys that are allowed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// The type of a host without `--type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_host_type: Option<Checked<SectionName>>,
    /// The environment of a new host without `--environment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_environment: Option<Checked<SectionName>>,
    pub(crate) openbao: OpenBaoSettings,
    pub(crate) network: NetworkSettings,
    pub(crate) paths: Paths,
    pub(crate) text: EntryTexts,
    pub(crate) host_types: BTreeMap<Checked<SectionName>, HostType>,
    pub(crate) environments: BTreeMap<Checked<SectionName>, Environment>,
    pub(crate) hosts: BTreeMap<Checked<HostNameText>, HostSection>,
    pub(crate) groups: BTreeMap<Checked<SectionName>, Group>,
    /// The keys that somebody has set, such as `paths.hosts`.
    #[serde(skip)]
    pub(super) given: BTreeSet<String>,
    /// The name of the environment.
    #[serde(skip)]
    pub(crate) environment: Option<String>,
    /// The files with entries that a removal leaves: a host of another environment has them, too.
    #[serde(skip)]
    pub(crate) kept_files: BTreeSet<String>,
    /// The name of the host type.
    #[serde(skip)]
    pub(crate) host_type: Option<String>,
    /// The hosts of the same environment and type, to learn from; empty if there are none.
    #[serde(skip)]
    pub(crate) siblings: Vec<String>,
    /// The system of the host type.
    #[serde(skip)]
    pub(crate) system: Option<Checked<SystemName>>,
    /// The place of the map of machines in its file.
    #[serde(skip)]
    pub(crate) vms_place: MapPlace,
    /// OpenTofu's file that reads the map of machines, if that is in a file of data.
    #[serde(skip)]
    pub(crate) vms_reader: Option<String>,
}

impl Settings {
    /// Returns the default values, with an example for each key that has none.
    pub(crate) fn with_all_keys() -> Self {
        let mut settings = Self::default();
        let name = || Checked::unchecked(ANY_NAME);
        settings.default_host_type = Some(Checked::unchecked("vm"));
        settings.default_environment = Some(Checked::unchecked("staging"));
        settings.text.flake_entry = Some(Checked::unchecked("mkHost \"{hostname}\""));
        settings.host_types = BTreeMap::from([(name(), HostType::with_all_keys())]);
        settings.environments = BTreeMap::from([(name(), Environment::with_all_keys())]);
        settings.hosts =
            BTreeMap::from([(Checked::unchecked(ANY_NAME), HostSection::with_all_keys())]);
        settings.groups = BTreeMap::from([(name(), Group::with_all_keys())]);
        settings
    }
}

impl Settings {
    /// Returns whether somebody has set a key.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.given.contains(key)
    }

    /// Adds the keys of a section that sets those of other sections.
    fn add_given(&mut self, section: &impl Serialize) {
        let all = ser::to_document(&Self::with_all_keys()).unwrap_or_default();
        let keys = ser::to_document(section).unwrap_or_default();
        for (name, _) in keys.iter() {
            let sections = ["openbao", "network", "paths", "text"].into_iter();
            let owners = sections.filter(|section| all[section].get(name).is_some());
            self.given
                .extend(owners.map(|section| format!("{section}.{name}")));
        }
    }

    /// Returns the folders of all templates.
    pub(crate) fn templates(&self) -> Vec<&str> {
        let types = self.host_types.values().map(|one| &one.template);
        let environments = self.environments.values().map(|one| &one.template);
        let others = types.chain(environments).flatten();
        let all = std::iter::once(&self.paths.template).chain(others);
        all.map(Checked::as_str).collect()
    }

    /// Returns the folders with the hosts of environments.
    pub(crate) fn host_folders(&self) -> impl Iterator<Item = &str> {
        let environments = self.environments.values();
        let folders = environments.filter_map(|environment| environment.hosts.as_ref());
        folders.map(Checked::as_str)
    }

    /// Returns the settings for hosts of a type.
    pub(crate) fn with_type(&self, host_type: &HostType) -> Self {
        let mut settings = self.clone();
        let (paths, network, text) = (
            &mut settings.paths,
            &mut settings.network,
            &mut settings.text,
        );
        replace(&mut paths.template, host_type.template.as_ref());
        if host_type.vms.is_some() {
            paths.vms_map = Paths::default().vms_map; // the fleet's is about another file
        }
        replace(&mut paths.vms, host_type.vms.as_ref());
        replace(&mut paths.vms_map, host_type.vms_map.as_ref());
        replace(&mut network.gateway, host_type.gateway.as_ref());
        replace(&mut network.nameservers, host_type.nameservers.as_ref());
        replace(&mut network.domain, host_type.domain.as_ref());
        replace(&mut text.vm_entry, host_type.vm_entry.as_ref());
        let entry = host_type.flake_entry.clone();
        text.flake_entry = entry.or_else(|| text.flake_entry.take());
        settings.system.clone_from(&host_type.system);
        settings.add_given(host_type);
        settings
    }

    /// Returns the settings for hosts of an environment.
    pub(crate) fn with_environment(&self, name: &str, environment: &Environment) -> Self {
        let mut settings = self.clone();
        let (openbao, paths) = (&mut settings.openbao, &mut settings.paths);
        replace(&mut openbao.address, environment.address.as_ref());
        replace(&mut openbao.namespace, environment.namespace.as_ref());
        replace(&mut openbao.kv_mount, environment.kv_mount.as_ref());
        replace(
            &mut openbao.approle_mount,
            environment.approle_mount.as_ref(),
        );
        replace(&mut openbao.wrap_ttl, environment.wrap_ttl.as_ref());
        if environment.vms.is_some() {
            paths.vms_map = Paths::default().vms_map; // the fleet's is about another file
        }
        replace(&mut paths.flake, environment.flake.as_ref());
        replace(&mut paths.hosts, environment.hosts.as_ref());
        replace(&mut paths.template, environment.template.as_ref());
        replace(&mut paths.vms, environment.vms.as_ref());
        replace(&mut paths.vms_map, environment.vms_map.as_ref());
        replace(
            &mut paths.vault_terraform,
            environment.vault_terraform.as_ref(),
        );
        replace(&mut paths.generated, environment.generated.as_ref());
        settings.environment = Some(name.to_owned());
        settings.add_given(environment);
        settings
    }
}

fn replace<T: Clone>(setting: &mut T, other: Option<&T>) {
    if let Some(other) = other {
        setting.clone_from(other);
    }
}

/// The settings under `[openbao]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OpenBaoSettings {
    pub(crate) address: Checked<Addresses>,
    pub(crate) namespace: Checked<NamespacePath>,
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

impl Default for OpenBaoSettings {
    fn default() -> Self {
        Self {
            address: Checked::unchecked("https://127.0.0.1:8200"),
            namespace: Checked::unchecked(""),
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
