//! The plan to remove a host.

use zts_cli::Failure;
use zts_infra_edit::vms;

use super::{
    entry::{MachineEntry, machine_entry},
    flake_removal::{has_learnt_entry, remove_entry},
    generated::write_generated,
    identity::{check_folder, is_in_flake, is_listed},
    rendered::RenderedFiles,
    sources::Sources,
    template::placeholder_values,
};
use crate::{
    change::{ChangeSet, FileChange},
    failure::edit_failure,
    fleet::Settings,
    host::HostName,
    server::credentials::FileOrigin,
};

/// The removal of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removal<'a> {
    pub(crate) name: &'a HostName,
    /// True if files may be removed that git cannot restore.
    pub(crate) force: bool,
    /// The origin of the host's files, if OpenBao has it.
    pub(crate) origin: Option<FileOrigin>,
    /// True if OpenBao was not asked.
    pub(crate) is_unchecked: bool,
    /// True if the run leaves OpenBao alone.
    pub(crate) skips_openbao: bool,
}

/// Plans the removal of all files and entries of a host, or of an enrolled host's entry in the
/// generated file. Files that git cannot restore and that differ from the template are removed with
/// `force` only.
pub(crate) fn plan_removal(
    removal: Removal<'_>,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<FileChange>, Failure> {
    let name = removal.name;
    check_folder(name, settings)?;
    let mut changes = ChangeSet::default();
    if removal.origin != Some(FileOrigin::Enrolled) {
        let rendered = RenderedFiles::of_host(name, sources, settings);
        if !removal.force {
            check_no_loss(name, &rendered, sources)?;
        }
        if removal.origin.is_none() {
            check_files_are_ours(removal, &rendered, sources, settings)?;
        }
        remove_entries(name, sources, settings, &mut changes)?;
    }
    if sources.generated.is_some() && !removal.skips_openbao {
        let mut hosts = sources.generated_hosts(settings)?;
        hosts.retain(|host| host.name != name.as_str());
        if hosts.is_empty() && !sources.is_generated_tracked {
            let file = settings.paths.generated.as_str();
            let before = sources.generated.clone().map(String::into_bytes);
            changes.add(file, before, None); // the first host's run created it
        } else {
            write_generated(&hosts, sources, settings, &mut changes);
        }
    }
    Ok(changes.into_changes())
}

/// Refuses files and entries of an unknown origin that differ from those that create-host writes:
/// the host may have been enrolled, and its mark destroyed with its credentials.
fn check_files_are_ours(
    removal: Removal<'_>,
    rendered: &RenderedFiles,
    sources: &Sources,
    settings: &Settings,
) -> Result<(), Failure> {
    let name = removal.name;
    if removal.is_unchecked && removal.force {
        return Ok(());
    }
    let is_listed = is_listed(name, None, sources, settings)?;
    let are_files_ours = if sources.host_files.is_empty() {
        let is_in_flake = is_in_flake(name, sources, settings);
        !is_listed && (!is_in_flake || has_learnt_entry(name, sources, settings))
    } else {
        rendered.count == sources.host_files.len()
    };
    if are_files_ours && has_own_entry(name, sources, settings) {
        return Ok(());
    }
    let way = if removal.skips_openbao {
        "look at them, and remove them with `--skip-vault --force`".to_owned()
    } else {
        let way = if removal.is_unchecked {
            "remove them anyway with `--force`"
        } else {
            "remove them with `--skip-vault --force`"
        };
        format!(
            "`create-host --hostname {name} --remove --enroll` removes the policy, the role and the credentials, \
             and leaves the files; or {way}"
        )
    };
    Err(Failure::failed(format_args!(
        "the files and entries of `{name}` may be somebody else's: they are not as create-host writes them, and \
         no secret id says that create-host made them"
    ))
    .hint(way))
}

/// Returns whether the host's entry in the machine map is as create-host writes it, as far as the
/// other entries tell. Further attributes are allowed.
fn has_own_entry(name: &HostName, sources: &Sources, settings: &Settings) -> bool {
    let (Some(vms), place) = (&sources.vms, &sources.vms_place) else {
        return true;
    };
    if !settings.text.vm_entry.as_str().trim().is_empty() {
        return true; // it may have values of `--set`, which are not known any more
    }
    let Ok(others) = vms::remove_vm(vms, place, name.as_str()) else {
        return true; // the removal fails with the reason
    };
    let others = Sources {
        vms: Some(others),
        ..sources.clone()
    };
    let address = sources.listed_address(name);
    let values = placeholder_values(name, address, settings);
    match machine_entry(name, address, &values, &others, settings) {
        MachineEntry::Text(body, assumed) if assumed.is_empty() => {
            vms::add_vm(vms, place, name.as_str(), &body).is_ok_and(|same| same == *vms)
                || others.vms == sources.vms
        }
        // the values of `--set` are not known any more, nor those that were assumed
        MachineEntry::Text(..) | MachineEntry::Missing(_) => true,
    }
}

/// Removes the host's files, and its entries in the flake and the machine map.
fn remove_entries(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
    changes: &mut ChangeSet,
) -> Result<(), Failure> {
    let files = sources.host_files.iter();
    for (path, bytes) in files.filter(|(path, _)| !settings.kept_files.contains(*path)) {
        changes.add(path, Some(bytes.clone()), None);
    }
    let is_kept = |file: &str| settings.kept_files.contains(file);
    if !is_kept(settings.paths.flake.as_str()) {
        remove_entry(name, sources, settings, changes)?;
    }
    let file = settings.paths.vms.as_str();
    if let Some(vms) = sources.vms.as_ref().filter(|_| !is_kept(file)) {
        let edited = vms::remove_vm(vms, &sources.vms_place, name.as_str())
            .map_err(|error| edit_failure(file, &error))?;
        changes.add_edit(file, vms, edited);
    }
    Ok(())
}

/// Refuses to remove files that nothing could restore.
fn check_no_loss(
    name: &HostName,
    rendered: &RenderedFiles,
    sources: &Sources,
) -> Result<(), Failure> {
    let lost: Vec<String> = sources
        .host_files
        .iter()
        .filter(|(path, bytes)| !rendered.has(path, bytes) && !sources.committed.contains(path))
        .map(|(path, _)| format!("`{path}`"))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format_args!(
        "removing `{name}` would lose {}: not as create-host wrote it, and not committed to git",
        lost.join(", ")
    ))
    .hint("commit it, move it away, or remove it for good with `--force`"))
}
