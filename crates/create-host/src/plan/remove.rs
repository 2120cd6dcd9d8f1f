//! A host that is to be gone.

use std::collections::BTreeMap;

use cli::Failure;
use infra_edit::{nix, vms};

use super::{Change, Changes, Sources, create, names};
use crate::{
    failure,
    fleet::Settings,
    host::{HostAddress, HostName},
    placeholders::Values,
};

/// What is to change so that nothing of the host is left. Files that git could not bring back and that
/// are not as create-host writes them go with `force` only.
pub(crate) fn remove(
    name: &HostName,
    force: bool,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<Change>, Failure> {
    names::check_folder(name, settings)?;
    let mut changes = Changes::default();
    if !force {
        check_files(name, sources, settings)?;
    }
    for (path, bytes) in &sources.host_files {
        changes.add(path, Some(bytes.clone()), None);
    }
    if let Some(flake) = &sources.flake {
        let file = settings.paths.flake.as_str();
        let edited = nix::remove_configuration(flake, name.as_str());
        changes.edit(
            file,
            flake,
            edited.map_err(|error| failure::edit(file, &error))?,
        );
    }
    let file = settings.paths.vms.as_str();
    let edited = vms::remove(&sources.vms, name.as_str());
    changes.edit(
        file,
        &sources.vms,
        edited.map_err(|error| failure::edit(file, &error))?,
    );
    if sources.generated.is_some() {
        let others = create::others(name.as_str(), sources, settings)?;
        create::write_generated(&others, sources, settings, &mut changes);
    }
    Ok(changes.done())
}

fn check_files(name: &HostName, sources: &Sources, settings: &Settings) -> Result<(), Failure> {
    let written = as_written(name, sources, settings);
    let lost: Vec<String> = sources
        .host_files
        .iter()
        .filter(|(path, bytes)| {
            let as_written = written
                .get(*path)
                .is_some_and(|text| text.as_bytes() == bytes.as_slice());
            !as_written && !sources.in_git.contains(path)
        })
        .map(|(path, _)| format!("`{path}`"))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format_args!(
        "removing `{name}` would lose {}: not as create-host wrote it, and not in git",
        lost.join(", ")
    ))
    .hint("commit it, move it away, or remove it for good with `--force`"))
}

/// The host's files as the template makes them; none where its address is not known any more.
fn as_written(name: &HostName, sources: &Sources, settings: &Settings) -> BTreeMap<String, String> {
    let vms = vms::list(&sources.vms).unwrap_or_default();
    let ip = vms
        .into_iter()
        .find(|vm| vm.name == name.as_str())
        .and_then(|vm| vm.ip);
    let Some(address) = ip.and_then(|ip| HostAddress::parse(&ip).ok()) else {
        return BTreeMap::new();
    };
    let values = Values::new(name, address, settings);
    let files = create::rendered(name, &values, &sources.template, settings);
    files.unwrap_or_default().into_iter().collect()
}
