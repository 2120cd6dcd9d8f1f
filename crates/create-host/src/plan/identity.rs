//! Checks that the name and the address are free, or belong to this host.

use ipnet::IpNet;
use zts_cli::Failure;
use zts_infra_edit::{
    nix,
    vms::{self, Vm},
};

use super::{
    sources::{Sources, needs_flake_entry},
    template::host_files,
};
use crate::{
    failure::edit_failure,
    fleet::{SETTINGS_FILE, Settings},
    host::{HostAddress, HostName, parse_address},
};

/// Checks that the host's folder is not that of a template, which `--remove` would then delete.
pub(super) fn check_folder(name: &HostName, settings: &Settings) -> Result<(), Failure> {
    let folder = format!("{}/{name}", settings.paths.hosts);
    let below = |inner: &str, outer: &str| format!("{inner}/").starts_with(&format!("{outer}/"));
    let is_near = |template: &&str| below(template, &folder) || below(&folder, template);
    if let Some(hosts) = settings.host_folders().find(|hosts| below(hosts, &folder)) {
        return Err(Failure::usage(format_args!(
            "`{name}` cannot be the name of a host: `{hosts}` is the folder of an environment's hosts"
        ))
        .hint("choose another name"));
    }
    let Some(template) = settings.templates().into_iter().find(is_near) else {
        return Ok(());
    };
    Err(Failure::usage(format_args!(
        "`{name}` cannot be the name of a host: `{template}` is the folder of the template"
    ))
    .hint("choose another name"))
}

/// Returns whether the machine map has the host, with this address if one is given. Its entries
/// then belong to its owner, and may differ from new ones.
pub(super) fn is_listed(
    name: &HostName,
    address: Option<HostAddress>,
    sources: &Sources,
    settings: &Settings,
) -> Result<bool, Failure> {
    let file = settings.paths.vms.as_str();
    let list = |text| vms::list_vms(text, &sources.vms_place);
    let vms = sources.vms.as_deref().map(list).transpose();
    let vms = vms.map_err(|error| edit_failure(file, &error))?;
    let vms = vms.unwrap_or_default();
    let Some(address) = address else {
        return Ok(vms.iter().any(|vm| vm.name == name.as_str()));
    };
    if settings.network.gateway.address() == Some(address.address()) {
        let owner = format!("it is `gateway` under `[network]` in `{SETTINGS_FILE}`");
        return Err(address_in_use(address, &owner));
    }
    let is = |ip: &String| parse_address(ip) == Some(address.address());
    let has = |vm: &Vm| vm.ip.iter().chain(&vm.other_addresses).any(is);
    if let Some(other) = vms.iter().find(|vm| vm.name != name.as_str() && has(vm)) {
        let owner = format!("`{}` has it in `{file}`", other.name);
        return Err(address_in_use(address, &owner));
    }
    match vms.iter().find(|vm| vm.name == name.as_str()) {
        None => Ok(false),
        // the machine gets its address by DHCP, or from a computed value
        Some(Vm { ip: None, .. }) => Ok(true),
        Some(Vm {
            ip: Some(existing), ..
        }) if is_same_address(existing, address) => Ok(true),
        Some(Vm {
            ip: Some(existing), ..
        }) => {
            let failure = Failure::usage(format_args!(
                "the name `{name}` is in use: `{file}` has it with the address `{existing}`, not `{address}`"
            ));
            Err(failure.hint(format!(
                "give `--ip {existing}` for that host, choose another name, or remove it first with `--remove`"
            )))
        }
    }
}

/// Returns whether an entry's `ip` is `address`, also in another notation or without the prefix
/// length.
fn is_same_address(ip: &str, address: HostAddress) -> bool {
    match ip.parse::<IpNet>() {
        Ok(network) => HostAddress::from(network) == address,
        Err(_) => parse_address(ip) == Some(address.address()),
    }
}

fn address_in_use(address: HostAddress, owner: &str) -> Failure {
    Failure::usage(format_args!(
        "the address `{}` is in use: {owner}",
        address.address()
    ))
    .hint("give another one with `--ip`")
}

/// Returns the failure for a name that something unknown uses at `place`.
pub(crate) fn name_in_use(name: &HostName, place: &str) -> Failure {
    Failure::failed(format_args!("the name `{name}` is in use: {place}")).hint(format!(
        "choose another name; or, if it is this host, `create-host --hostname {name} --enroll` gives it \
         credentials and leaves its files as they are"
    ))
}

/// Returns whether the fleet has the host without an entry in the machine map: the flake has it,
/// and its folder has each file of the template.
pub(super) fn is_complete(name: &HostName, sources: &Sources, settings: &Settings) -> bool {
    let files = host_files(name, sources, settings);
    let has_file = |target: &String| sources.host_files.contains_key(target);
    (!files.is_empty() || sources.needs_no_files)
        && files.iter().all(|(_, target)| has_file(target))
        && (!needs_flake_entry(settings) || is_in_flake(name, sources, settings))
}

/// Returns whether the flake has the host. A flake that cannot be read has none.
pub(super) fn is_in_flake(name: &HostName, sources: &Sources, settings: &Settings) -> bool {
    let flake = settings.paths.flake.as_str();
    let names = sources
        .flake
        .as_ref()
        .map(|_| nix::list_hosts(&sources.tree, flake));
    names.is_some_and(|names| {
        names.is_ok_and(|names| names.iter().any(|other| other == name.as_str()))
    })
}
