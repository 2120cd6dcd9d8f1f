//! The hosts that a new one is like: those of its environment and type.

use std::collections::BTreeSet;

use zts_infra_edit::nix::{self, FleetFiles};

use super::identity::read_machines;
use crate::{
    fleet::{Fleet, Settings},
    host::HostName,
    inference::infer,
};

/// Returns the other hosts of the flake that are in the same environment and of the same type, as
/// far as folders and machine maps tell. `fleet` has the settings without the type.
pub(crate) fn list_siblings(name: &HostName, fleet: &Fleet, chosen: &Fleet) -> Vec<String> {
    let settings = &chosen.settings;
    let hosts = nix::list_hosts(&chosen.tree, settings.paths.flake.as_str());
    let plain = infer(fleet, fleet.settings.clone()).ok();
    let all = plain.as_ref().map(list_machines).unwrap_or_default();
    let own = list_machines(chosen);
    let is_physical = settings.paths.vms.as_str().is_empty() && !all.is_empty();
    let folder = own_folder(settings);
    let folder = folder.map(|folder| chosen.tree.list(folder));
    let is_here = |host: &String| {
        let names = [format!("{host}/"), format!("{host}.nix")];
        let in_folder = |listed: &Vec<String>| names.iter().any(|name| listed.contains(name));
        folder.as_ref().is_none_or(in_folder)
    };
    let is_alike = |host: &String| {
        if is_physical {
            !all.contains(host)
        } else {
            own.is_empty() || own.contains(host)
        }
    };
    let mut siblings = hosts.unwrap_or_default();
    siblings.retain(|host| host != name.as_str() && is_here(host) && is_alike(host));
    siblings
}

/// Returns the folder with the environment's hosts, if no other environment has it.
fn own_folder(settings: &Settings) -> Option<&str> {
    let own = settings.paths.hosts.as_str();
    let environment = settings.environment.as_deref()?;
    let mut others = settings
        .environments
        .iter()
        .filter(|(name, _)| name.as_str() != environment);
    let is_shared = others.any(|(_, other)| {
        let folder = other.hosts.as_ref().map(ToString::to_string);
        folder.is_none_or(|folder| folder == own)
    });
    (!is_shared).then_some(own)
}

/// Returns the hosts in the machine map; none if it cannot be read.
fn list_machines(fleet: &Fleet) -> BTreeSet<String> {
    let vms = read_machines(fleet).unwrap_or_default().into_iter();
    vms.map(|vm| vm.name).collect()
}
