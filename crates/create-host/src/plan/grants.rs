//! Warnings about the grants and the groups of `fleet.toml`.

use std::collections::BTreeSet;

use zts_infra_edit::{nix, vms};

use super::sources::Sources;
use crate::{
    fleet::Settings,
    grants::{grants_of_other_hosts, section_header},
    host::HostName,
    placeholders::closest_name,
};

/// Returns the warnings: hosts that the fleet does not have, and grants and policies that give the
/// host the secrets of another one.
pub(crate) fn find_doubtful_grants(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) -> Vec<String> {
    let hosts = known_hosts(name, sources, settings);
    let mut warnings = Vec::new();
    for (grant, owner) in grants_of_other_hosts(name.as_str(), settings) {
        warnings.push(format!(
            "`fleet.toml` grants `{name}` `{grant}`, which is a secret of the host `{owner}`: an attacker on \
             `{name}` has it, too"
        ));
    }
    let sections = settings.hosts.iter();
    let own = sections.filter(|(host, _)| host.as_str() == name.as_str());
    for policy in own.flat_map(|(_, section)| &section.policies) {
        let owner = policy.as_str().strip_prefix("host-");
        let is_known = |owner: &&str| hosts.iter().flatten().any(|host| host == owner);
        if let Some(owner) = owner
            .filter(|owner| *owner != name.as_str())
            .filter(is_known)
        {
            warnings.push(format!(
                "`fleet.toml` gives `{name}` the policy `{policy}`, and with it all secrets of the host `{owner}`"
            ));
        }
    }
    if let Some(hosts) = &hosts {
        warnings.extend(unknown_hosts(hosts, settings));
    }
    warnings
}

/// Returns a warning for each host of a section or a group that the fleet does not have.
fn unknown_hosts(hosts: &BTreeSet<String>, settings: &Settings) -> Vec<String> {
    let sections = settings.hosts.keys();
    let sections = sections.map(|host| {
        let header = section_header(host.as_str());
        (format!("has a section `{header}`"), host)
    });
    let groups = settings.groups.iter().flat_map(|(group, section)| {
        let members = section.hosts.iter();
        members.map(move |host| (format!("has `{host}` in the group `{group}`"), host))
    });
    let unknown = sections
        .chain(groups)
        .filter(|(_, host)| !hosts.contains(host.as_str()));
    unknown
        .map(|(place, host)| {
            let meant = closest_name(host.as_str(), hosts.iter().map(String::as_str));
            let question =
                meant.map_or_else(String::new, |meant| format!(": did you mean `{meant}`?"));
            format!("`fleet.toml` {place}, a host that the fleet does not have yet{question}")
        })
        .collect()
}

/// Returns the hosts of the fleet; `None` if the text of the flake does not tell them.
fn known_hosts(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) -> Option<BTreeSet<String>> {
    let mut hosts = BTreeSet::from([name.to_string()]);
    if sources.flake.is_some() {
        hosts.extend(nix::list_hosts(&sources.tree, settings.paths.flake.as_str()).ok()?);
    }
    let machines = sources.vms.as_deref();
    let machines = machines.and_then(|text| vms::list_vms(text, &sources.vms_place).ok());
    hosts.extend(machines.into_iter().flatten().map(|machine| machine.name));
    let generated = sources.generated_hosts(settings).unwrap_or_default();
    hosts.extend(generated.into_iter().map(|host| host.name));
    Some(hosts)
}
