//! The plan to remove a host.

use std::collections::BTreeMap;

use zts_cli::Failure;
use zts_infra_edit::{nix, vms};

use super::{
    create::write_generated,
    identity::check_folder,
    sources::Sources,
    template::{placeholder_values, render_template},
};
use crate::{
    change::{ChangeSet, FileChange},
    failure::edit_failure,
    fleet::Settings,
    host::{HostAddress, HostName},
};

/// Plans the removal of all files and entries of a host. Files that git cannot restore and that
/// differ from the template are removed with `force` only.
pub(crate) fn plan_removal(
    name: &HostName,
    force: bool,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<FileChange>, Failure> {
    check_folder(name, settings)?;
    let mut changes = ChangeSet::default();
    if !force {
        check_no_loss(name, sources, settings)?;
    }
    for (path, bytes) in &sources.host_files {
        changes.add(path, Some(bytes.clone()), None);
    }
    if let Some(flake) = &sources.flake {
        let file = settings.paths.flake.as_str();
        let edited = nix::remove_configuration(flake, name.as_str())
            .map_err(|error| edit_failure(file, &error))?;
        changes.add_edit(file, flake, edited);
    }
    let file = settings.paths.vms.as_str();
    let edited =
        vms::remove_vm(&sources.vms, name.as_str()).map_err(|error| edit_failure(file, &error))?;
    changes.add_edit(file, &sources.vms, edited);
    if sources.generated.is_some() {
        let mut hosts = sources.generated_hosts(settings)?;
        hosts.retain(|host| host.name != name.as_str());
        write_generated(&hosts, sources, settings, &mut changes);
    }
    Ok(changes.into_changes())
}

/// Refuses to remove files that nothing could restore.
fn check_no_loss(name: &HostName, sources: &Sources, settings: &Settings) -> Result<(), Failure> {
    let rendered = render_known_host(name, sources, settings);
    let lost: Vec<String> = sources
        .host_files
        .iter()
        .filter(|(path, bytes)| {
            let is_as_rendered = rendered
                .get(*path)
                .is_some_and(|text| text.as_bytes() == bytes.as_slice());
            !is_as_rendered && !sources.committed.contains(path)
        })
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

/// Renders the host's files from the template; none if `vms.tf` does not have the host's address.
fn render_known_host(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) -> BTreeMap<String, String> {
    let vms = vms::list_vms(&sources.vms).unwrap_or_default();
    let ip = vms
        .into_iter()
        .find(|vm| vm.name == name.as_str())
        .and_then(|vm| vm.ip);
    let Some(address) = ip.and_then(|ip| HostAddress::parse(&ip).ok()) else {
        return BTreeMap::new();
    };
    let values = placeholder_values(name, address, settings);
    let files = render_template(name, &values, &sources.template, settings);
    files.unwrap_or_default().into_iter().collect()
}
