//! The plan to create a host.

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_infra_edit::{Error, generated::GeneratedHost, vms};

use super::{
    entry::{MachineEntry, ask_for_values, machine_entry},
    flake::{AddedEntry, Entry, EntryFailure, add_entry, check_is_found, invalid_entry},
    identity::{
        check_environment, check_folder, is_complete, is_in_flake, is_listed, name_in_use,
        note_unused_address,
    },
    missing::Missing,
    own_values::{UsedPlaceholders, own_values},
    sources::{Sources, needs_flake_entry},
    template::{host_files, is_backup, placeholder_values, render_files},
};
use crate::{
    change::{ChangeSet, FileChange},
    deliver::WAYS,
    failure::edit_failure,
    fleet::Settings,
    host::{HostAddress, HostName},
    host_access::host_access,
    placeholders::{Placeholders, Values},
    server::credentials::FileOrigin,
};

/// The host that a run is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) name: &'a HostName,
    /// The address on the command line.
    pub(crate) address: Option<HostAddress>,
    /// True if the token does not go to the machine map. The host then gets no entry there, which
    /// would make OpenTofu create a machine.
    pub(crate) has_delivery: bool,
    /// True if the run must issue a token.
    pub(crate) needs_token: bool,
    /// True if the run leaves OpenBao alone.
    pub(crate) skips_openbao: bool,
}

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

/// The host, and the fleet that it is added to.
struct NewHost<'a> {
    name: &'a HostName,
    address: Option<HostAddress>,
    /// True if the fleet has the host already: its files and entries are its owner's.
    is_known: bool,
    /// True if the host gets an entry in the machine map.
    gets_entry: bool,
    values: Values,
    sources: &'a Sources,
    settings: &'a Settings,
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
    let address = request.address.or_else(|| sources.listed_address(name));
    let mut host = NewHost {
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
    };
    if !is_known {
        check_name_is_free(&host)?;
    }
    check_nothing_is_missing(&host, request, is_listed)?;
    let mut changes = ChangeSet::default();
    let (vms, assumed) = edit_vms(&host)?;
    // an entry that equals the one that would be added is the host's
    let is_new = !is_known && (!host.gets_entry || vms != sources.vms);
    host.is_known = !is_new;
    if let (Some(before), Some(after)) = (&sources.vms, &vms) {
        changes.add_edit(settings.paths.vms.as_str(), before, after.clone());
    }
    let is_created = add_host_files(&host, &mut changes)?;
    let AddedEntry {
        origin: learnt,
        mut notes,
        ..
    } = edit_flake(&host, &mut changes)?;
    check_is_found(name, sources, settings, &changes)?;
    notes.extend(assumed);
    let changes = changes.into_changes();
    check_environment(name, &changes, settings)?;
    notes.extend(note_unused_address(request.address, &changes, settings));
    Ok(CreationPlan {
        address,
        access: host_access(name, address, settings),
        policies_in_file: policies_in_file(request, sources, settings)?,
        is_new,
        is_unproven: is_known && !is_listed && is_like_any_host(sources, is_created),
        changes,
        vms,
        is_listed: is_listed || host.gets_entry,
        origin: is_created.then_some(FileOrigin::Created),
        learnt,
        notes,
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

/// Checks that the run has all that it needs.
fn check_nothing_is_missing(
    host: &NewHost<'_>,
    request: Request<'_>,
    is_listed: bool,
) -> Result<(), Failure> {
    let (sources, settings) = (host.sources, host.settings);
    let mut missing = Missing::default();
    if needs_flake_entry(settings) && sources.flake.is_none() {
        missing.add(
            format!("`{}` does not exist", settings.paths.flake),
            "set the file with `nixosConfigurations` with `flake` under `[paths]` in `fleet.toml`",
        );
    }
    let files = host_files(host.name, sources, settings);
    if files.is_empty() && !needs_flake_entry(settings) {
        missing.add(
            format!("there is no template for a host's files in `{}`", settings.paths.template),
            "create `default.nix` and the files that it imports there, or set another folder with `template` \
             under `[paths]` in `fleet.toml`",
        );
    }
    let address_user = host
        .address
        .is_none()
        .then(|| address_user(host, &files, request))
        .flatten();
    if let Some(user) = &address_user {
        missing.add(
            format!("`{}` has no address, which {user} needs", host.name),
            "give it with `--ip ADDRESS/LENGTH`",
        );
    }
    let mut asked = Vec::new();
    if host.gets_entry
        && let MachineEntry::Missing(mut values) = learn_entry(host)
    {
        values.retain(|value| address_user.is_none() || value.name != "ip");
        asked.extend(values.iter().map(|value| value.name.clone()));
        let file = settings.paths.vms.as_str();
        if !values.is_empty() {
            let (problem, way) = ask_for_values(host.name, file, &values);
            missing.add(problem, way);
        }
    }
    ask_for_placeholders(host, &files, &asked, &mut missing);
    if request.needs_token && !request.has_delivery && !is_listed && !host.gets_entry {
        ask_for_delivery(&mut missing, host.name, sources, settings);
    }
    missing.check(host.name)
}

/// Asks for the values of the placeholders in the texts that the host gets.
fn ask_for_placeholders(
    host: &NewHost<'_>,
    files: &[(&str, String)],
    asked: &[String],
    missing: &mut Missing,
) {
    let (sources, settings) = (host.sources, host.settings);
    let mut used = UsedPlaceholders::default();
    let entry = settings.text.flake_entry.as_ref();
    if let Some(entry) = entry.filter(|_| !host.is_known) {
        used.add_entry("flake_entry", entry.as_str());
    }
    if host.gets_entry {
        used.add_entry("vm_entry", settings.text.vm_entry.as_str());
    }
    for (path, target) in files {
        let bytes = sources.template.get(*path);
        if let Some(bytes) = bytes.filter(|_| !sources.host_files.contains_key(target)) {
            used.add_file(path, &String::from_utf8_lossy(bytes), &host.values.own);
        }
    }
    used.ask_for_values(missing, &host.values.own, asked);
}

/// Asks for a way for the token, which has no place in the fleet.
pub(super) fn ask_for_delivery(
    missing: &mut Missing,
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) {
    let place = match settings.paths.vms.as_str() {
        "" => "the fleet has no machine map".to_owned(),
        file if sources.vms.is_none() => format!("`{file}` does not exist"),
        file => format!("`{file}` does not have the host"),
    };
    let entry = if sources.vms.is_some() {
        let file = &settings.paths.vms;
        format!("; if OpenTofu makes the machine, add its entry `\"{name}\" = {{ … }}` to `{file}`")
    } else {
        String::new()
    };
    missing.add(
        format!("there is no way for the wrapping token of `{name}`: {place}"),
        format!("name a way: {WAYS}{entry}"),
    );
}

/// Returns the text that needs an address, if one does.
fn address_user(
    host: &NewHost<'_>,
    files: &[(&str, String)],
    request: Request<'_>,
) -> Option<String> {
    let settings = host.settings;
    let is_new = |target: &String| !host.sources.host_files.contains_key(target);
    let has_placeholder = |path: &str| {
        let bytes = host.sources.template.get(path);
        bytes.is_some_and(|bytes| {
            Placeholders::AT_SIGNS.uses_address(&String::from_utf8_lossy(bytes))
        })
    };
    let mut templates = files.iter().filter(|(_, target)| is_new(target));
    if let Some((path, _)) = templates.find(|(path, _)| has_placeholder(path)) {
        return Some(format!("`{path}`"));
    }
    let in_text = |text: &str| Placeholders::BRACES.uses_address(text);
    if host.gets_entry && in_text(settings.text.vm_entry.as_str()) {
        return Some("`vm_entry` under `[text]` in `fleet.toml`".to_owned());
    }
    let entry = settings.text.flake_entry.as_ref();
    if !host.is_known && entry.is_some_and(|entry| in_text(entry.as_str())) {
        return Some("`flake_entry` under `[text]` in `fleet.toml`".to_owned());
    }
    (settings.openbao.bind_cidr && !request.skips_openbao)
        .then(|| "`bind_cidr` under `[openbao]` in `fleet.toml`".to_owned())
}

/// Returns the entry in the machine map.
fn learn_entry(host: &NewHost<'_>) -> MachineEntry {
    machine_entry(
        host.name,
        host.address,
        &host.values,
        host.sources,
        host.settings,
    )
}

/// Returns the text of `vms.tf` with the host, and notes of the values in its entry that are
/// assumed. An entry that exists is left as it is.
fn edit_vms(host: &NewHost<'_>) -> Result<(Option<String>, Vec<String>), Failure> {
    let Some(vms) = host.sources.vms.as_ref().filter(|_| host.gets_entry) else {
        return Ok((host.sources.vms.clone(), Vec::new()));
    };
    let file = host.settings.paths.vms.as_str();
    let (body, notes) = match learn_entry(host) {
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
    let entry = Entry {
        name: host.name,
        address: host.address,
        values: &host.values,
        is_known: host.is_known,
        is_in_map: host.gets_entry || host.is_known,
    };
    match add_entry(&entry, host.sources, host.settings, changes) {
        Ok(added) => Ok(added),
        Err(EntryFailure::InUse(place)) => Err(in_use(host, &place)),
        Err(
            EntryFailure::Individual(failure, _)
            | EntryFailure::Unsupported(failure)
            | EntryFailure::Other(failure),
        ) => Err(failure),
    }
}

fn in_use(host: &NewHost<'_>, place: &str) -> Failure {
    name_in_use(host.name, place)
}
