//! Checks that the name and the address are free, or belong to this host.

use ipnet::IpNet;
use zts_cli::Failure;
use zts_infra_edit::{
    Error, nix,
    vms::{self, Vm},
};

use super::{
    sources::{Sources, needs_flake_entry},
    template::host_files,
};
use crate::{
    change::FileChange,
    failure::edit_failure,
    fleet::{Fleet, SETTINGS_FILE, Settings},
    host::{HostAddress, HostName, parse_address},
    host_paths::choose_main,
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
    let vms = list_machines(sources.vms.as_deref(), settings)?;
    let Some(address) = address else {
        return Ok(vms.iter().any(|vm| vm.name == name.as_str()));
    };
    if settings.network.gateway.address() == Some(address.address()) {
        let owner = format!("it is `gateway` under `[network]` in `{SETTINGS_FILE}`");
        return Err(address_in_use(address, &owner));
    }
    check_machines(name, address, &vms, file)?;
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

/// Returns the failure of a map that cannot be read. A computed one can be left to its owner.
fn explain_map_failure(file: &str, error: &Error) -> Failure {
    let failure = edit_failure(file, error);
    match error {
        Error::Unsupported { problem, .. } if problem.contains("is computed") => {
            failure.hint(format!(
                "add the machine by hand to what the map is made from, and set `vms = \"\"` under `[paths]` in \
                 `{SETTINGS_FILE}`; then `--token-out` or `--deliver` names the place of its wrapping token"
            ))
        }
        _ => failure,
    }
}

fn list_machines(text: Option<&str>, settings: &Settings) -> Result<Vec<Vm>, Failure> {
    let file = settings.paths.vms.as_str();
    let list = |text| vms::list_vms(text, &settings.vms_place);
    let vms = text.map(list).transpose();
    Ok(vms
        .map_err(|error| explain_map_failure(file, &error))?
        .unwrap_or_default())
}

/// Returns the hosts in the machine map.
pub(super) fn read_machines(fleet: &Fleet) -> Result<Vec<Vm>, Failure> {
    let text = match fleet.settings.paths.vms.as_str() {
        "" => None,
        file => fleet.tree.read_text(file)?,
    };
    list_machines(text.as_deref(), &fleet.settings)
}

/// Returns whether the machine map has the host.
pub(super) fn has_machine(name: &HostName, fleet: &Fleet) -> Result<bool, Failure> {
    let vms = read_machines(fleet)?;
    Ok(vms.iter().any(|vm| vm.name == name.as_str()))
}

/// Refuses an address that another machine of the map has.
fn check_machines(
    name: &HostName,
    address: HostAddress,
    vms: &[Vm],
    file: &str,
) -> Result<(), Failure> {
    let is = |ip: &String| parse_address(ip) == Some(address.address());
    let has = |vm: &Vm| vm.ip.iter().chain(&vm.other_addresses).any(is);
    match vms.iter().find(|vm| vm.name != name.as_str() && has(vm)) {
        None => Ok(()),
        Some(other) => {
            let owner = format!("`{}` has it in `{file}`", other.name);
            Err(address_in_use(address, &owner))
        }
    }
}

/// Refuses an address that a machine has in the map of another host type.
pub(crate) fn check_address_in_map(
    name: &HostName,
    address: HostAddress,
    fleet: &Fleet,
) -> Result<(), Failure> {
    let vms = read_machines(fleet)?;
    check_machines(name, address, &vms, fleet.settings.paths.vms.as_str())
}

/// Refuses files in the folder of another environment's hosts, whose entries the new one was learnt
/// from.
pub(super) fn check_environment(
    name: &HostName,
    changes: &[FileChange],
    settings: &Settings,
) -> Result<(), Failure> {
    let Some(own) = settings.environment.as_deref() else {
        return Ok(());
    };
    let is_below = |path: &str, folder: &str| path.starts_with(&format!("{folder}/"));
    let new = changes.iter().filter(|change| change.before.is_none());
    let is_own = |path: &str| is_below(path, settings.paths.hosts.as_str());
    for path in new
        .map(|change| change.path.as_str())
        .filter(|path| !is_own(path))
    {
        let mut environments = settings.environments.iter();
        let other = environments.find(|(_, other)| {
            let folder = other.hosts.as_ref();
            folder.is_some_and(|folder| is_below(path, folder.as_str()))
        });
        if let Some((other, _)) = other {
            return Err(Failure::failed(format_args!(
                "`{name}` is for the environment `{own}`, but `{path}` would be a file of the environment `{other}`: its \
                 entry was learnt from hosts of that one"
            ))
            .hint(format!(
                "set the entry with `flake_entry` under `[text]` in `{SETTINGS_FILE}`, such as \
                 `flake_entry = 'mkHost \"{{environment}}\" \"{{hostname}}\"'`"
            )));
        }
    }
    Ok(())
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
    // of the only host of its kind, nothing tells which files it should have
    let has_kind = settings.environment.is_some() || settings.host_type.is_some();
    let is_only_one = has_kind && sources.template.is_empty() && !sources.host_files.is_empty();
    (!files.is_empty() || sources.needs_no_files || is_only_one)
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

/// Returns a note if no change of the fleet has the address that the command line gave: a learnt
/// file has only what the other hosts share.
pub(super) fn note_unused_address(
    name: &HostName,
    address: Option<HostAddress>,
    changes: &[FileChange],
    settings: &Settings,
) -> Option<String> {
    let address = address.filter(|_| !settings.openbao.bind_cidr)?;
    let text = address.address().to_string();
    let has_address = |change: &FileChange| {
        let after = String::from_utf8_lossy(change.after.as_deref().unwrap_or_default());
        after.contains(&text)
    };
    if changes.iter().any(has_address) {
        return None;
    }
    let is_new_file =
        |change: &&FileChange| change.before.is_none() && nix::is_nix_file(&change.path);
    let files = changes.iter().filter(is_new_file);
    let file = choose_main(files.map(|change| change.path.as_str()), name.as_str())?;
    Some(format!(
        "next: complete `{file}`: it has only what the other hosts share, and the address `{address}` is in no file"
    ))
}
