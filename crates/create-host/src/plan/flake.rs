//! The entry of a host in the flake.

use zts_cli::Failure;
use zts_infra_edit::{
    Error, FileError,
    nix::{self, Discovery, FleetFiles, NewHost, Origin, Placement},
    vms::Notation,
};

use super::{identity::is_in_flake, sources::Sources};
use crate::{
    change::ChangeSet,
    failure::edit_failure,
    fleet::{Checked, SETTINGS_FILE, Settings},
    host::{HostAddress, HostName},
    host_paths::relative_paths,
    overlay::{NewFile, WithFiles, WithoutRemoved},
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

/// A reason not to add an entry.
pub(super) enum EntryFailure {
    /// Another host has the name, at this place.
    InUse(String),
    /// The entries have too little in common; these are some of them.
    Individual(Failure, Vec<String>),
    /// The hosts are computed.
    Unsupported(Failure),
    Other(Failure),
}

impl From<Failure> for EntryFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
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
    if sources.flake.is_none() {
        return Ok(AddedEntry::default());
    }
    let (name, flake) = (entry.name.as_str(), settings.paths.flake.as_str());
    let files = &sources.tree;
    // for a flake that cannot be read, the edit fails with the lines to add
    if entry.is_known && is_in_flake(entry.name, sources, settings) {
        return Ok(AddedEntry::default());
    }
    let more = files_and_import(entry.name, sources, settings);
    if let Some(reason) = is_found_by_files(name, flake, sources, &more) {
        add_elsewhere(entry, sources, settings, &more, changes);
        return Ok(AddedEntry::without_entry(reason));
    }
    let given = settings.text.flake_entry.as_ref().map(|text| {
        Placeholders::BRACES.fill(text.as_str(), entry.values, |servers| quote(servers, " "))
    });
    let address = entry.address.map(|address| address.to_string());
    let host = NewHost {
        name,
        value: given.as_deref(),
        address: address.as_deref(),
        like: &settings.siblings,
        system: settings.system.as_ref().map(Checked::as_str),
        module: &format!("{}/{name}", settings.paths.hosts),
    };
    let with_files = WithFiles {
        below: files,
        more: &sources.learnt,
    };
    let added = match nix::add_host(&with_files, flake, &host) {
        Err(_) if entry.is_in_map && reads_machine_map(sources, settings) => {
            let map = &settings.paths.vms;
            let reason = format!("no entry in `{flake}`, which reads `{map}`");
            return Ok(AddedEntry::without_entry(reason));
        }
        added => added.map_err(explain_failure)?,
    };
    let origin = match &added.origin {
        Origin::Discovered(discovery) => Some(check_discovery(
            discovery, entry.name, sources, settings, changes,
        )?),
        Origin::Learnt(like) | Origin::Typical { like, .. } => Some(format!(
            "the entry in `{}`, like that of `{like}`",
            added.file
        )),
        Origin::First => Some(format!(
            "the entry in `{}`, which is the first one",
            added.file
        )),
        Origin::Existing | Origin::Given | Origin::Name => None,
    };
    let notes = describe_remains(&added, name, flake);
    let is_learnt = matches!(added.origin, Origin::Learnt(_) | Origin::Typical { .. });
    for edit in added.edits {
        let before = files.read(&edit.path).unwrap_or_default();
        if let (Some(text), Origin::Given) = (&given, &added.origin) {
            check_function(text, &before, &edit.path, entry.name)?;
        }
        changes.add_edit(&edit.path, &before, edit.text);
    }
    Ok(AddedEntry {
        origin,
        learnt: is_learnt.then_some(added.value),
        notes,
    })
}

/// Returns whether the flake reads the file of the machine map, as the text tells.
pub(crate) fn reads_machine_map(sources: &Sources, settings: &Settings) -> bool {
    let (flake, map) = (settings.paths.flake.as_str(), settings.paths.vms.as_str());
    let text = sources.flake.as_deref().unwrap_or_default();
    let is_map = |path: &str| nix::resolve_path(flake, path).as_deref() == Some(map);
    text.contains("fromJSON")
        && sources.vms_place.notation == Notation::Json
        && relative_paths(text).any(is_map)
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
    let host = own_host(name, None, settings);
    let import = nix::add_import(&files, flake, &host);
    more.extend(import.map(|edit| (edit.path, edit.text)));
    more
}

fn own_host<'a>(
    name: &'a HostName,
    address: Option<&'a str>,
    settings: &'a Settings,
) -> NewHost<'a> {
    NewHost {
        name: name.as_str(),
        value: None,
        address,
        like: &settings.siblings,
        system: settings.system.as_ref().map(Checked::as_str),
        module: "",
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
) {
    let flake = settings.paths.flake.as_str();
    let files = WithFiles {
        below: &sources.tree,
        more,
    };
    let address = entry.address.map(|address| address.to_string());
    let host = own_host(entry.name, address.as_deref(), settings);
    // a flake that cannot be read has no other place that can be edited
    let added = nix::add_host(&files, flake, &host);
    let edits = added.map_or_else(|_| Vec::new(), |added| added.edits);
    let edits = edits.into_iter().map(|edit| (edit.path, edit.text));
    for (path, text) in more.iter().cloned().chain(edits) {
        if let Some(before) = sources.tree.read(&path) {
            changes.add_edit(&path, &before, text);
        }
    }
}

/// Describes what is left to check, and to do by hand.
fn describe_remains(added: &Placement, name: &str, flake: &str) -> Vec<String> {
    let by_hand = added.by_hand.iter().map(|output| {
        format!(
            "`{output}` in `{flake}` has other hosts: add `{name}` by hand if it is deployed in that way"
        )
    });
    let mut notes: Vec<String> = by_hand.collect();
    if let Origin::Typical { like, left_out } = &added.origin {
        let left_out = describe_left_out(left_out);
        notes.push(format!(
            "the entry of `{name}` in `{}` is like that of `{like}`{left_out}: check it, because the entries differ",
            added.file
        ));
    }
    notes
}

/// Names the attributes that an entry lacks.
fn describe_left_out(left_out: &[String]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    let names: Vec<String> = left_out.iter().map(|name| format!("`{name}`")).collect();
    format!(
        ", without {}, of which each host has its own",
        names.join(", ")
    )
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

/// Refuses a text from the settings that calls a function that the file does not have.
fn check_function(text: &str, source: &str, file: &str, name: &HostName) -> Result<(), Failure> {
    let Ok(Some(function)) = nix::undefined_function(source, text) else {
        return Ok(());
    };
    let failure = Failure::usage(format_args!(
        "`{file}` has no `{function}`, which the entry of `{name}` calls"
    ));
    Err(failure.hint(
        "set the expression that makes a host in this flake with `flake_entry` under `[text]` in `fleet.toml`",
    ))
}

fn explain_failure(failure: FileError) -> EntryFailure {
    let FileError { file, error } = failure;
    match &error {
        Error::Exists { position, .. } => {
            EntryFailure::InUse(format!("`{file}`, {position}, has a host of this name"))
        }
        Error::Invalid { .. } => invalid_entry(&error, "flake_entry").into(),
        Error::Unsupported { .. } => {
            EntryFailure::Unsupported(unsupported_flake(edit_failure(&file, &error)))
        }
        Error::Individual { candidates, .. } => EntryFailure::Individual(
            edit_failure(&file, &error).hint(show_candidates(candidates)),
            candidates.clone(),
        ),
        _ => edit_failure(&file, &error).into(),
    }
}

/// Returns the setting that replaces learning, with texts of present hosts.
fn show_candidates(candidates: &[String]) -> String {
    let instruction = format!("set the text of new entries under `[text]` in `{SETTINGS_FILE}`");
    let texts: Vec<String> = candidates
        .iter()
        .map(|text| format!("flake_entry = '''\n{text}\n'''"))
        .collect();
    match texts.as_slice() {
        [] => format!("{instruction}, such as `flake_entry = 'mkHost \"{{hostname}}\"'`"),
        texts => format!(
            "{instruction}; the present hosts have, with `{{hostname}}` for the name:\n\n{}",
            texts.join("\n\n")
        ),
    }
}

pub(super) fn invalid_entry(error: &Error, key: &str) -> Failure {
    Failure::usage(error).hint(format!(
        "it is set with `{key}` under `[text]` in `fleet.toml`"
    ))
}

/// Adds the way without an edit: a flake that finds its hosts by itself.
fn unsupported_flake(failure: Failure) -> Failure {
    let hint = failure.hint_text().unwrap_or_default();
    if hint.contains("`--enroll`") {
        return failure;
    }
    let hint = format!(
        "{hint}\n\nthen run the same command again; if the flake finds its hosts by itself, set \
         `flake_entry = \"\"` under `[text]` in `fleet.toml`"
    );
    failure.hint(hint)
}

pub(super) fn quote(texts: &[String], separator: &str) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(separator)
}

/// Removes the host from the flake.
pub(super) fn remove_entry(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
    changes: &mut ChangeSet,
) -> Result<(), Failure> {
    if sources.flake.is_none() {
        return Ok(());
    }
    let files = &sources.tree;
    let rest = WithoutRemoved {
        below: files,
        changes,
    };
    let removed = match nix::remove_host(&rest, settings.paths.flake.as_str(), name.as_str()) {
        Err(_) if reads_machine_map(sources, settings) => return Ok(()),
        removed => removed.map_err(|failure| edit_failure(&failure.file, &failure.error))?,
    };
    for edit in removed.edits {
        let before = files.read(&edit.path).unwrap_or_default();
        changes.add_edit(&edit.path, &before, edit.text);
    }
    Ok(())
}
