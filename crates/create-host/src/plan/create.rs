//! The plan to create a host.

use zts_cli::Failure;
use zts_infra_edit::{Error, generated, generated::GeneratedHost, nix, vms};

use super::{
    identity::{check_folder, is_listed, name_in_use},
    sources::Sources,
    template::{placeholder_values, render_template},
};
use crate::{
    change::{ChangeSet, FileChange},
    failure::edit_failure,
    fleet::Settings,
    host::{HostAddress, HostName},
    host_access::host_access,
    placeholders::{Placeholders, Values},
};

/// The changes that create a host.
#[derive(Debug)]
pub(crate) struct CreationPlan {
    pub(crate) address: HostAddress,
    pub(crate) access: GeneratedHost,
    /// True if `vms.tf` does not have the host before the changes.
    pub(crate) is_new: bool,
    pub(crate) changes: Vec<FileChange>,
    /// The text of `vms.tf` after the changes.
    pub(crate) vms: String,
}

/// The host, and the fleet that it is added to.
struct NewHost<'a> {
    name: &'a HostName,
    address: HostAddress,
    /// True if `vms.tf` has the host already.
    is_listed: bool,
    values: Values,
    sources: &'a Sources,
    settings: &'a Settings,
}

/// Plans the files and the entries of a host.
pub(crate) fn plan_creation(
    name: &HostName,
    address: HostAddress,
    sources: &Sources,
    settings: &Settings,
) -> Result<CreationPlan, Failure> {
    check_folder(name, settings)?;
    let mut host = NewHost {
        name,
        address,
        is_listed: is_listed(name, address, sources, settings)?,
        values: placeholder_values(name, address, settings),
        sources,
        settings,
    };
    let mut changes = ChangeSet::default();
    let vms = edit_vms(&host)?;
    let is_new = vms != sources.vms;
    host.is_listed |= !is_new;
    changes.add_edit(settings.paths.vms.as_str(), &sources.vms, vms.clone());
    add_host_files(&host, &mut changes)?;
    edit_flake(&host, &mut changes)?;
    let access = host_access(name, address, settings);
    let mut hosts = sources.generated_hosts(settings)?;
    hosts.retain(|host| host.name != access.name);
    hosts.push(access.clone());
    write_generated(&hosts, sources, settings, &mut changes);
    Ok(CreationPlan {
        address,
        access,
        is_new,
        changes: changes.into_changes(),
        vms,
    })
}

/// Returns the text of `vms.tf` with the host. An entry that exists is left as it is.
fn edit_vms(host: &NewHost<'_>) -> Result<String, Failure> {
    if host.is_listed {
        return Ok(host.sources.vms.clone());
    }
    let file = host.settings.paths.vms.as_str();
    let body = host.settings.text.vm_entry.as_str();
    let body = Placeholders::BRACES.fill(body, &host.values, |servers| quote(servers, ", "));
    vms::add_vm(&host.sources.vms, host.name.as_str(), &body).map_err(|error| match error {
        Error::Exists { position, .. } => {
            let place = format!("`{file}`, {position}, has a host of this name with other values");
            in_use(host, &place)
        }
        Error::Invalid { .. } => invalid_entry(&error, "vm_entry"),
        other => edit_failure(file, &other),
    })
}

/// Adds the host's files from the template. Files that exist are left as they are.
fn add_host_files(host: &NewHost<'_>, changes: &mut ChangeSet) -> Result<(), Failure> {
    let sources = host.sources;
    for (path, text) in render_template(host.name, &host.values, &sources.template, host.settings)?
    {
        match sources.host_files.get(&path) {
            None => changes.add(&path, None, Some(text.into_bytes())),
            Some(existing) if !host.is_listed && *existing != text.as_bytes() => {
                return Err(in_use(host, &format!("`{path}` exists with another text")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Adds the host to the flake. The entry of a host that `vms.tf` has is left as it is.
fn edit_flake(host: &NewHost<'_>, changes: &mut ChangeSet) -> Result<(), Failure> {
    let (name, settings) = (host.name, host.settings);
    let Some(flake) = &host.sources.flake else {
        return Ok(());
    };
    // for a flake that cannot be read, the edit fails with the lines to add
    let is_in_flake = nix::list_configurations(flake)
        .is_ok_and(|names| names.iter().any(|other| other == name.as_str()));
    if host.is_listed && is_in_flake {
        return Ok(());
    }
    let file = settings.paths.flake.as_str();
    let entry = settings.text.flake_entry.as_str();
    let entry = Placeholders::BRACES.fill(entry, &host.values, |servers| quote(servers, " "));
    let edited =
        nix::add_configuration(flake, name.as_str(), &entry).map_err(|error| match error {
            Error::Exists { position, .. } => {
                let place = format!("`{file}`, {position}, has a host of this name");
                in_use(host, &place)
            }
            Error::Invalid { .. } => invalid_entry(&error, "flake_entry"),
            Error::Unsupported { .. } => unsupported_flake(edit_failure(file, &error)),
            other => edit_failure(file, &other),
        })?;
    if let Ok(Some(function)) = nix::undefined_function(flake, &entry) {
        return Err(Failure::usage(format_args!(
            "`{file}` has no `{function}`, which the entry of `{name}` calls"
        ))
        .hint(
            "set the expression that makes a host in this flake with `flake_entry` under `[text]` in `fleet.toml`",
        ));
    }
    changes.add_edit(file, flake, edited);
    Ok(())
}

fn in_use(host: &NewHost<'_>, place: &str) -> Failure {
    name_in_use(host.name, place, host.address, host.settings)
}

fn invalid_entry(error: &Error, key: &str) -> Failure {
    Failure::usage(error).hint(format!(
        "it is set with `{key}` under `[text]` in `fleet.toml`"
    ))
}

/// Adds the way without an edit: a flake that finds its hosts by itself.
fn unsupported_flake(failure: Failure) -> Failure {
    let hint = failure.hint_text().unwrap_or_default();
    let hint = format!(
        "{hint}\n\nthen run the same command again; if the flake finds its hosts by itself, set \
         `flake_entry = \"\"` under `[text]` in `fleet.toml`"
    );
    failure.hint(hint)
}

fn quote(texts: &[String], separator: &str) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(separator)
}

/// Writes the generated file anew, with these hosts.
pub(super) fn write_generated(
    hosts: &[GeneratedHost],
    sources: &Sources,
    settings: &Settings,
    changes: &mut ChangeSet,
) {
    let before = sources.generated.clone().map(String::into_bytes);
    let after = generated::render_hosts(hosts).into_bytes();
    changes.add(settings.paths.generated.as_str(), before, Some(after));
}
