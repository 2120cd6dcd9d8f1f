//! Whether the name and the address are free, or this very host's.

use cli::Failure;
use infra_edit::{
    nix,
    vms::{self, Vm},
};
use ipnet::IpNet;

use super::Sources;
use crate::{
    failure,
    fleet::Settings,
    host::{HostAddress, HostName, address_of},
};

/// The name must not be that of the template's folder, in which `--remove` would delete it.
pub(super) fn check_folder(name: &HostName, settings: &Settings) -> Result<(), Failure> {
    let folder = format!("{}/{name}", settings.paths.hosts);
    let template = settings.paths.template.as_str();
    let below = |inner: &str, outer: &str| format!("{inner}/").starts_with(&format!("{outer}/"));
    if !below(template, &folder) && !below(&folder, template) {
        return Ok(());
    }
    Err(Failure::usage(format_args!(
        "`{name}` cannot be the name of a host: `{template}` is the folder of the template"
    ))
    .hint("choose another name"))
}

/// Whether the host is in `vms.tf` with this address. Its entries are then its owner's: they may differ
/// from what would be written today.
pub(super) fn is_known(
    name: &HostName,
    address: HostAddress,
    sources: &Sources,
    settings: &Settings,
) -> Result<bool, Failure> {
    let file = settings.paths.vms.as_str();
    if settings.network.gateway.address() == Some(address.address()) {
        return Err(taken(
            address,
            &format!(
                "it is `gateway` under `[network]` in `{}`",
                crate::fleet::SETTINGS
            ),
        ));
    }
    let vms = vms::list(&sources.vms).map_err(|error| failure::edit(file, &error))?;
    let is = |ip: &Option<String>| ip.as_deref().and_then(address_of) == Some(address.address());
    if let Some(other) = vms.iter().find(|vm| vm.name != name.as_str() && is(&vm.ip)) {
        return Err(taken(
            address,
            &format!("`{}` has it in `{file}`", other.name),
        ));
    }
    match vms.iter().find(|vm| vm.name == name.as_str()) {
        // an entry without `ip` says nothing of whose it is: it must be the very one that would be added
        None | Some(Vm { ip: None, .. }) => Ok(false),
        Some(Vm {
            ip: Some(there), ..
        }) if is_same(there, address) => Ok(true),
        Some(Vm {
            ip: Some(there), ..
        }) => {
            let failure = Failure::usage(format_args!(
                "the name `{name}` is in use: `{file}` has it with the address `{there}`, not `{address}`"
            ));
            Err(failure.hint(format!(
                "give `--ip {there}` for that host, choose another name, or take it out first with `--remove`"
            )))
        }
    }
}

/// Whether an entry's `ip` is `address`; it may be written in another way or without its length.
fn is_same(there: &str, address: HostAddress) -> bool {
    match there.parse::<IpNet>() {
        Ok(there) => HostAddress::from(there) == address,
        Err(_) => address_of(there) == Some(address.address()),
    }
}

fn taken(address: HostAddress, by: &str) -> Failure {
    Failure::usage(format_args!(
        "the address `{}` is in use: {by}",
        address.address()
    ))
    .hint("give another one with `--ip`")
}

/// Whether the flake has a host of this name.
pub(super) fn is_in_flake(name: &HostName, flake: &str) -> bool {
    // a flake that cannot be read is told by the edit itself, with the lines to add
    nix::configurations(flake).is_ok_and(|names| names.iter().any(|there| there == name.as_str()))
}

/// The error for a name that something unknown uses.
pub(crate) fn in_use(
    name: &HostName,
    where_: &str,
    address: HostAddress,
    settings: &Settings,
) -> Failure {
    Failure::failed(format_args!("the name `{name}` is in use: {where_}")).hint(format!(
        "choose another name; or, if it is this very host, say so with an entry `\"{name}\" = {{ ip = \"{address}\" }}` in `{}`",
        settings.paths.vms
    ))
}
