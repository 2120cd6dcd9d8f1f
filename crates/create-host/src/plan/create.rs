//! The plan to create a host.

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_infra_edit::{Error, generated::GeneratedHost, vms};

use super::{
    beside::note_beside,
    entry::{MachineEntry, ask_for_values},
    entry_failure::{EntryFailure, invalid_entry},
    flake::{AddedEntry, check_is_found},
    identity::{
        check_environment, check_folder, is_complete, is_in_flake, is_listed, name_in_use,
        note_unused_address,
    },
    incomplete::{list_others, note_incomplete, note_undefined},
    own_values::own_values,
    request::{NewHost, Request},
    requirements::check_nothing_is_missing,
    sources::Sources,
    template::{host_files, is_backup, placeholder_values, render_files},
    unread::{check_named_files, note_unread},
};
use crate::{
    change::{ChangeSet, FileChange},
    failure::edit_failure,
    fleet::Settings,
    host::HostAddress,
    host_access::host_access,
    placeholders::Values,
    server::credentials::FileOrigin,
};

/// The changes that create a host.
#[derive(Debug)]
pub(crate) struct CreationPlan {
    pub(crate) address: Option<HostAddress>,
    /// The access by the fleet's settings.
    pub(crate) access: GeneratedHost,
    /// The policies that the generated file gives the role besides its own.
    pub(crate) policies_in_file: BTreeSet<String>,
    /// True if the fleet does not have the host before the changes.
    pub(crate) is_new: bool,
    /// True if the fleet has the host, and only OpenBao can say that create-host made it: its owner
    /// has edited its files, or made them.
    pub(crate) is_unproven: bool,
    /// The changes of all files but the generated one, which also depends on OpenBao.
    pub(crate) changes: Vec<FileChange>,
    /// The text of the machine map after the changes.
    pub(crate) vms: Option<String>,
    /// True if the machine map then has the host.
    pub(crate) is_listed: bool,
    /// The origin of the host's files, if the files tell: created by this run, or by an earlier one
    /// and not edited since.
    pub(crate) origin: Option<FileOrigin>,
    /// The origin of the entry in the flake, if it was learnt.
    pub(crate) learnt: Option<String>,
    /// Notes of what is left to do, and of what was assumed.
    pub(crate) notes: Vec<String>,
}

impl CreationPlan {
    /// Adds changes of further files, and notes about them.
    pub(crate) fn add_changes(&mut self, changes: Vec<FileChange>, notes: Vec<String>) {
        self.changes.extend(changes);
        self.notes.extend(notes);
        self.changes.sort_by(|one, other| one.path.cmp(&other.path));
    }
}

/// Plans the files and the entries of a host.
pub(crate) fn plan_creation(
    request: Request<'_>,
    sources: &Sources,
    settings: &Settings,
) -> Result<CreationPlan, Failure> {
    let name = request.name;
    check_folder(name, settings)?;
    let is_listed = is_listed(name, request.address, sources, settings)?;
    let is_known = is_listed || is_complete(name, sources, settings);
    let mut host = describe_host(request, is_known, sources, settings)?;
    if !is_known {
        check_name_is_free(&host)?;
    }
    check_nothing_is_missing(&host, request, is_listed)?;
    let mut changes = ChangeSet::default();
    let (vms, assumed) = edit_vms(&host, &mut changes)?;
    // an entry that equals the one that would be added is the host's
    host.is_known |= host.gets_entry && vms == sources.vms;
    let is_created = add_host_files(&host, &mut changes)?;
    let added = edit_flake(&host, &mut changes)?;
    check_is_found(name, sources, settings, &changes)?;
    let changes = changes.into_changes();
    check_environment(name, &changes, settings)?;
    let surroundings = note_surroundings(request, sources, settings, &changes)?;
    Ok(CreationPlan {
        address: host.address,
        access: host_access(name, host.address, settings),
        policies_in_file: policies_in_file(request, sources, settings)?,
        is_new: !host.is_known,
        is_unproven: is_known && !is_listed && is_like_any_host(sources, is_created),
        changes,
        vms,
        is_listed: is_listed || host.gets_entry,
        origin: is_created.then_some(FileOrigin::Created),
        learnt: added.origin,
        notes: [added.notes, assumed, surroundings].concat(),
    })
}

/// Returns notes of what the other hosts have besides, and of an address that no file has. The
/// error is for a host that could not be evaluated.
fn note_surroundings(
    request: Request<'_>,
    sources: &Sources,
    settings: &Settings,
    changes: &[FileChange],
) -> Result<Vec<String>, Failure> {
    let (name, address) = (request.name, request.address);
    let others = list_others(name, sources, settings, changes);
    check_named_files(name, &others, sources, changes)?;
    let mut notes = note_unread(name, &others, sources, changes)?;
    notes.extend(note_incomplete(name, &others, sources, changes));
    notes.extend(note_undefined(name, &others, sources, changes)?);
    notes.extend(note_beside(name, &others, sources, changes));
    notes.extend(note_unused_address(name, address, changes, settings));
    Ok(notes)
}

/// Describes the host with the values of its placeholders.
fn describe_host<'a>(
    request: Request<'a>,
    is_known: bool,
    sources: &'a Sources,
    settings: &'a Settings,
) -> Result<NewHost<'a>, Failure> {
    let name = request.name;
    let address = request.address.or_else(|| sources.listed_address(name));
    Ok(NewHost {
        name,
        address,
        is_known,
        gets_entry: sources.vms.is_some() && !is_known && !request.has_delivery,
        values: Values {
            own: own_values(sources, settings)?,
            ..placeholder_values(name, address, settings)
        },
        sources,
        settings,
    })
}

/// Refuses the name of a host that somebody else made: the flake has it, or its folder has a file
/// that create-host does not write.
fn check_name_is_free(host: &NewHost<'_>) -> Result<(), Failure> {
    let (sources, settings) = (host.sources, host.settings);
    if is_in_flake(host.name, sources, settings) {
        // another entry has a position
        edit_flake(host, &mut ChangeSet::default())?;
        // an equal entry without the files that it needs was added by hand, as a hint says
        if !sources.host_files.is_empty() || sources.needs_no_files {
            let place = format!("`{}` has a host of this name", settings.paths.flake);
            return Err(in_use(host, &place));
        }
    }
    let ours = host_files(host.name, sources, settings);
    let is_other = |path: &&String| ours.iter().all(|(_, target)| target != *path);
    let mut files = sources.host_files.keys().filter(|path| !is_backup(path));
    match files.find(is_other) {
        Some(path) if !ours.is_empty() => Err(in_use(
            host,
            &format!("`{path}` exists, which create-host does not write"),
        )),
        _ => Ok(()),
    }
}

/// Returns whether the files of a host that the fleet has do not tell who made it: without a
/// template, any host has files like those of the others.
fn is_like_any_host(sources: &Sources, is_created: bool) -> bool {
    sources.template.is_empty() && (!is_created || sources.learnt.is_empty())
}

/// Returns the policies that the generated file gives the host's role besides its own.
pub(super) fn policies_in_file(
    request: Request<'_>,
    sources: &Sources,
    settings: &Settings,
) -> Result<BTreeSet<String>, Failure> {
    if request.skips_openbao {
        return Ok(BTreeSet::new());
    }
    let hosts = sources.generated_hosts(settings)?.into_iter();
    let mut of_host = hosts.filter(|host| host.name == request.name.as_str());
    Ok(of_host
        .next()
        .map(|host| host.more_policies)
        .unwrap_or_default())
}

/// Adds the host to the machine map. Returns the text of the map, and notes of the values in the
/// entry that are assumed. An entry that exists is left as it is.
fn edit_vms(
    host: &NewHost<'_>,
    changes: &mut ChangeSet,
) -> Result<(Option<String>, Vec<String>), Failure> {
    let Some(vms) = host.sources.vms.as_ref().filter(|_| host.gets_entry) else {
        return Ok((host.sources.vms.clone(), Vec::new()));
    };
    let file = host.settings.paths.vms.as_str();
    let (body, notes) = match host.machine_entry() {
        MachineEntry::Text(body, notes) => (body, notes),
        MachineEntry::Missing(_) => Default::default(), // refused before
    };
    let (place, name) = (&host.sources.vms_place, host.name.as_str());
    let edited = vms::add_vm(vms, place, name, &body).map_err(|error| match error {
        Error::Exists { position, .. } => {
            let place = format!("`{file}`, {position}, has a host of this name with other values");
            in_use(host, &place)
        }
        Error::Invalid { .. } => invalid_entry(&error, "vm_entry"),
        other => edit_failure(file, &other),
    })?;
    changes.add_edit(file, vms, edited.clone());
    Ok((Some(edited), notes))
}

/// Adds the host's files from the template. Files that exist are left as they are. Returns whether
/// the host has no file of another origin.
fn add_host_files(host: &NewHost<'_>, changes: &mut ChangeSet) -> Result<bool, Failure> {
    let sources = host.sources;
    let mut rendered = 0;
    for (path, text) in render_files(host.name, &host.values, sources, host.settings)? {
        match sources.host_files.get(&path) {
            None => changes.add(&path, None, Some(text.into_bytes())),
            Some(existing) if !host.is_known && *existing != text.as_bytes() => {
                return Err(in_use(host, &format!("`{path}` exists with another text")));
            }
            Some(existing) => rendered += usize::from(*existing == text.as_bytes()),
        }
    }
    Ok(rendered == sources.host_files.len())
}

/// Adds the host to the flake. The entry of a host that the fleet has is left as it is.
fn edit_flake(host: &NewHost<'_>, changes: &mut ChangeSet) -> Result<AddedEntry, Failure> {
    host.flake_entry(changes).map_err(|failure| match failure {
        EntryFailure::InUse(place) => in_use(host, &place),
        EntryFailure::Values(file, values) => {
            let (problem, way) = ask_for_values(host.name, &file, &values, "hosts");
            Failure::usage(problem).hint(way)
        }
        EntryFailure::Individual(failure, _)
        | EntryFailure::Unsupported(failure)
        | EntryFailure::Other(failure) => failure,
    })
}

fn in_use(host: &NewHost<'_>, place: &str) -> Failure {
    name_in_use(host.name, place)
}
