//! The entry of a host in the flake.

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_infra_edit::{
    Error, FileError,
    nix::{self, Discovery, FileEdit, FleetFiles, NewHost, Origin, Placement},
    vms::Notation,
};

use super::{
    entry_failure::{EntryFailure, check_function, explain_failure},
    flake_notes::describe_remains,
    identity::is_in_flake,
    sources::Sources,
};
use crate::{
    change::ChangeSet,
    fleet::{Checked, SETTINGS_FILE, Settings},
    host::{HostAddress, HostName},
    overlay::{NewFile, WithFiles},
    placeholders::{Placeholders, Values},
};

/// The host of a new entry.
pub(super) struct Entry<'a> {
    pub(super) name: &'a HostName,
    pub(super) address: Option<HostAddress>,
    pub(super) values: &'a Values,
    /// True if the fleet has the host. Its entry in the flake is then its owner's.
    pub(super) is_known: bool,
    /// True if the machine map has the host, or gets it.
    pub(super) is_in_map: bool,
}

/// The entry that was added, in words.
#[derive(Debug, Default)]
pub(super) struct AddedEntry {
    /// The origin of the entry, or the reason why none is needed.
    pub(super) origin: Option<String>,
    /// The text of an entry that was learnt.
    pub(super) learnt: Option<String>,
    /// Notes of the places that are left.
    pub(super) notes: Vec<String>,
}

impl AddedEntry {
    /// Returns the result for a flake that needs no entry.
    fn without_entry(reason: String) -> Self {
        Self {
            origin: Some(reason),
            ..Self::default()
        }
    }
}

/// Adds the host to the flake.
pub(super) fn add_entry(
    entry: &Entry<'_>,
    sources: &Sources,
    settings: &Settings,
    changes: &mut ChangeSet,
) -> Result<AddedEntry, EntryFailure> {
    let (name, flake) = (entry.name.as_str(), settings.paths.flake.as_str());
    let has_entry = || entry.is_known && is_in_flake(entry.name, sources, settings);
    if sources.flake.is_none() || has_entry() {
        return Ok(AddedEntry::default()); // if it cannot be read, the edit fails with the lines
    }
    let more = files_and_import(entry.name, sources, settings);
    if let Some(reason) = is_found_by_files(name, flake, sources, &more) {
        let notes = add_elsewhere(entry, sources, settings, &more, changes)?;
        return Ok(AddedEntry {
            notes,
            ..AddedEntry::without_entry(reason)
        });
    }
    let given = render_given(entry, settings);
    let map = settings.paths.vms.as_str();
    let added = place_entry(entry, given.as_deref(), sources, settings);
    let has_no_other = added.as_ref().map_or(true, |added| added.file == map);
    if has_no_other && entry.is_in_map && reads_machine_map(sources, settings) {
        let reason = format!("no entry in `{flake}`, which reads `{map}`");
        return Ok(AddedEntry::without_entry(reason));
    }
    let added = added.map_err(explain_failure)?;
    let origin = describe_origin(&added, entry.name, sources, settings, changes)?;
    let notes = describe_remains(&added, entry.name, flake);
    let is_learnt = matches!(added.origin, Origin::Learnt(_) | Origin::Typical { .. });
    let given = given.filter(|_| matches!(added.origin, Origin::Given));
    add_edits(added.edits, given.as_deref(), entry, sources, changes)?;
    Ok(AddedEntry {
        origin,
        learnt: is_learnt.then_some(added.value),
        notes,
    })
}

/// Adds the edits to the changes. The text of the settings must fit into each of the files.
fn add_edits(
    edits: Vec<FileEdit>,
    given: Option<&str>,
    entry: &Entry<'_>,
    sources: &Sources,
    changes: &mut ChangeSet,
) -> Result<(), EntryFailure> {
    for edit in edits {
        let before = sources.tree.read(&edit.path).unwrap_or_default();
        if let Some(text) = given {
            check_function(text, &before, &edit.path, entry.name)?;
        }
        changes.add_edit(&edit.path, &before, edit.text);
    }
    Ok(())
}

/// Renders the text of the settings for the host's entry, if there is one.
fn render_given(entry: &Entry<'_>, settings: &Settings) -> Option<String> {
    let text = settings.text.flake_entry.as_ref()?.as_str();
    let filled = Placeholders::BRACES.fill(text, entry.values, |servers| quote(servers, " "));
    Some(filled)
}

/// Places the entry in the flake: `given`, or one that is learnt from the other hosts.
fn place_entry(
    entry: &Entry<'_>,
    given: Option<&str>,
    sources: &Sources,
    settings: &Settings,
) -> Result<Placement, FileError> {
    let address = entry.address.map(|address| address.to_string());
    let host = NewHost {
        value: given,
        module: &format!("{}/{}", settings.paths.hosts, entry.name),
        ..own_host(entry.name, address.as_deref(), sources, settings)
    };
    let files = WithFiles {
        below: &sources.tree,
        more: &sources.learnt,
    };
    nix::add_host(&files, settings.paths.flake.as_str(), &host)
}

/// Returns the names of those of the given values that the host's entries in the flake need.
pub(super) fn names_in_flake(
    name: &HostName,
    address: Option<&str>,
    sources: &Sources,
    settings: &Settings,
) -> BTreeSet<String> {
    if sources.flake.is_none() || settings.text.flake_entry.is_some() {
        return BTreeSet::new();
    }
    let files = WithFiles {
        below: &sources.tree,
        more: &sources.learnt,
    };
    let is_needed = |given: &&String| {
        let mut values = sources.values.clone();
        values.remove(*given);
        let host = NewHost {
            values: &values,
            ..own_host(name, address, sources, settings)
        };
        let asked = match nix::add_host(&files, settings.paths.flake.as_str(), &host) {
            Err(failure) => failure.error,
            Ok(_) => return false,
        };
        matches!(asked, Error::Values { values, .. } if values.iter().any(|one| one.name == **given))
    };
    sources.values.keys().filter(is_needed).cloned().collect()
}

/// Describes the origin of an entry, or the reason why none is needed.
fn describe_origin(
    added: &Placement,
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
    changes: &ChangeSet,
) -> Result<Option<String>, Failure> {
    let file = &added.file;
    Ok(match &added.origin {
        Origin::Discovered(discovery) => Some(check_discovery(
            discovery, name, sources, settings, changes,
        )?),
        Origin::Learnt(like) | Origin::Typical { like, .. } => {
            Some(format!("the entry in `{file}`, like that of `{like}`"))
        }
        Origin::Data(_) => Some(format!(
            "the entry in `{file}`, like those of the other hosts"
        )),
        Origin::First => Some(format!("the entry in `{file}`, which is the first one")),
        Origin::Existing | Origin::Given | Origin::Name => None,
    })
}

/// Returns whether the flake reads the file of the machine map, as the text tells.
pub(crate) fn reads_machine_map(sources: &Sources, settings: &Settings) -> bool {
    let (flake, map) = (settings.paths.flake.as_str(), settings.paths.vms.as_str());
    let text = sources.flake.as_deref().unwrap_or_default();
    let names_map = || nix::named_paths(text, flake).iter().any(|path| path == map);
    text.contains("fromJSON") && sources.vms_place.notation == Notation::Json && names_map()
}

/// Returns the host's own files, and the edited file that imports them, if one does.
fn files_and_import(name: &HostName, sources: &Sources, settings: &Settings) -> Vec<NewFile> {
    let flake = settings.paths.flake.as_str();
    let mut more = sources.learnt.clone();
    if more.is_empty() {
        return more;
    }
    let files = WithFiles {
        below: &sources.tree,
        more: &sources.learnt,
    };
    let host = own_host(name, None, sources, settings);
    let import = nix::add_import(&files, flake, &host);
    more.extend(import.map(|edit| (edit.path, edit.text)));
    more
}

pub(super) fn own_host<'a>(
    name: &'a HostName,
    address: Option<&'a str>,
    sources: &'a Sources,
    settings: &'a Settings,
) -> NewHost<'a> {
    NewHost {
        name: name.as_str(),
        value: None,
        address,
        like: &settings.siblings,
        system: settings.system.as_ref().map(Checked::as_str),
        module: "",
        values: &sources.values,
    }
}

/// Adds a host that its files add to the flake to the list that imports them, and to the other
/// places.
fn add_elsewhere(
    entry: &Entry<'_>,
    sources: &Sources,
    settings: &Settings,
    more: &[NewFile],
    changes: &mut ChangeSet,
) -> Result<Vec<String>, EntryFailure> {
    let flake = settings.paths.flake.as_str();
    let files = WithFiles {
        below: &sources.tree,
        more,
    };
    let address = entry.address.map(|address| address.to_string());
    let host = own_host(entry.name, address.as_deref(), sources, settings);
    let added = match nix::add_host(&files, flake, &host) {
        Ok(added) => Some(added),
        Err(error) if nix::list_hosts(&files, flake).is_ok() => return Err(explain_failure(error)),
        // a flake that cannot be read has no other place that can be edited
        Err(_) => None,
    };
    let notes = added
        .as_ref()
        .map(|added| describe_remains(added, entry.name, flake));
    let edits = added.map(|added| added.edits).unwrap_or_default();
    let edits = edits.into_iter().map(|edit| (edit.path, edit.text));
    for (path, text) in more.iter().cloned().chain(edits) {
        if let Some(before) = sources.tree.read(&path) {
            changes.add_edit(&path, &before, text);
        }
    }
    Ok(notes.unwrap_or_default())
}

/// The projects that read all files of a folder, whatever their names.
const READERS: [&str; 2] = ["import-tree", "haumea"];

/// Returns the reason if the host's own files, which are like those of the other hosts, add it to
/// the flake. Of a flake that reads all files of a folder, this is believed where no text shows it.
fn is_found_by_files(
    name: &str,
    flake: &str,
    sources: &Sources,
    more: &[NewFile],
) -> Option<String> {
    let (path, _) = sources.learnt.first()?;
    let files = WithFiles {
        below: &sources.tree,
        more,
    };
    let hosts = nix::list_hosts(&files, flake);
    let is_listed = hosts
        .as_ref()
        .is_ok_and(|hosts| hosts.iter().any(|host| host == name));
    let reads_all = sources
        .flake
        .as_ref()
        .is_some_and(|text| READERS.iter().any(|reader| text.contains(reader)));
    (is_listed || (reads_all && hosts.is_err())).then(|| {
        format!(
            "no entry in `{flake}`: `{name}` is added by its files, such as `{path}`: check them"
        )
    })
}

/// Checks that the host's files are where the flake finds its hosts, and describes that.
fn check_discovery(
    discovery: &Discovery,
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
    changes: &ChangeSet,
) -> Result<String, Failure> {
    let flake = settings.paths.flake.as_str();
    let reader = &discovery.reader;
    let file = discovery.file.replace("{}", name.as_str());
    if changes.has(&file) || sources.tree.read(&file).is_some() {
        return Ok(format!(
            "no entry in `{flake}`: `{reader}` finds `{name}` by its file `{file}`"
        ));
    }
    let failure = Failure::failed(format_args!(
        "`{flake}` would not have `{name}`: `{reader}` finds hosts by files such as `{file}`, which the template does not make"
    ));
    Err(failure.hint(format!(
        "set the folder of the hosts with `hosts` under `[paths]` in `{SETTINGS_FILE}`, and name the main file in `{}` as in that folder",
        settings.paths.template
    )))
}

/// Refuses a host that the flake would not have, as far as its text and the host's files tell: for
/// example, the settings say that it finds its hosts by itself, and it does not.
pub(super) fn check_is_found(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
    changes: &ChangeSet,
) -> Result<(), Failure> {
    let flake = settings.paths.flake.as_str();
    let files = WithFiles {
        below: &sources.tree,
        more: &changes.texts(),
    };
    let hosts = nix::list_hosts(&files, flake).unwrap_or_default();
    if hosts.is_empty() || hosts.iter().any(|host| host == name.as_str()) {
        return Ok(());
    }
    let hosts: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
    let failure = Failure::usage(format_args!(
        "`{flake}` would not have `{name}`: it has {}",
        hosts.join(", ")
    ));
    Err(failure.hint(format!(
        "`flake_entry` under `[text]` in `{SETTINGS_FILE}` is the text of its entry: with `\"\"` it gets none"
    )))
}

pub(super) fn quote(texts: &[String], separator: &str) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(separator)
}
