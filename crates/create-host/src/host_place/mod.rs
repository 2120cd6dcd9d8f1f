//! The files of a host in a fleet without a template: where the other hosts have theirs, and with
//! their text if that is the same but for the name.

mod computed;
mod main_text;
mod places;
mod read_elsewhere;

use std::collections::BTreeSet;

use zts_infra_edit::nix::{self, Discovery, FleetFiles, NewHost, Origin, Placement};

use crate::{
    host_paths::{MARK, is_of_users, machine_skeleton, rename_path, skeleton},
    overlay::{NewFile, WithFiles},
};
use places::{HostPlaces, is_main_file};

/// Returns the files that a host gets in a fleet without a template: those that its entry in the
/// flake names or that the flake reads, and those that the other hosts have with the same text.
/// The address of `host` is any. The error has the latter files only: the flake has no entry to
/// learn from.
pub(super) fn learn_files(
    files: &dyn FleetFiles,
    flake: &str,
    host: &NewHost<'_>,
) -> Result<Vec<NewFile>, Vec<NewFile>> {
    let (name, system) = (host.name, host.system);
    let own = nix::learn_own_files(files, flake, host);
    let added = nix::add_host(files, flake, host);
    let is_read_elsewhere = added
        .as_ref()
        .is_ok_and(|added| is_found_elsewhere(added, name, &own));
    if !own.is_empty() && !is_read_elsewhere {
        return Err(complete_own_files(files, flake, host, own));
    }
    let reads_all = added.as_ref().is_ok_and(is_found_in_tree);
    let hosts = if reads_all {
        Vec::new()
    } else {
        hosts_to_learn_from(files, flake, host.like)
    };
    let mut places = HostPlaces::read(files, &hosts, name);
    let entry = added.as_ref().map_or("", |added| added.value.as_str());
    places.sets_platform = system.is_some_and(|system| !entry.contains(system));
    places.system = system.map(str::to_owned);
    let shared = with_machine_files(places.shared_files(name), name);
    let Some(added) = added.ok().filter(|_| !reads_all) else {
        return Err(shared);
    };
    let named = entry_files(files, flake, name, &added);
    let mut own = complete_files(&places, host, named, &added, shared);
    own.extend(places.plain_companions(name));
    Ok(own)
}

/// Adds the files that a host's own files name. `own` are copies of the files of another host.
fn complete_own_files(
    files: &dyn FleetFiles,
    flake: &str,
    host: &NewHost<'_>,
    mut own: Vec<NewFile>,
) -> Vec<NewFile> {
    for (path, text) in own.iter_mut().skip(1) {
        // what is mounted, and the modules of the kernel, are of one machine
        if let Some(empty) = skeleton(path).filter(|_| text.contains("fileSystems")) {
            empty.clone_into(text);
        }
    }
    let missing = files_named_in(&own, host.name, host.system);
    own.extend(missing);
    drop_files_that_lack_one(files, &mut own);
    own.extend(files_of_entry(files, flake, host, &own));
    let hosts = hosts_to_learn_from(files, flake, host.like);
    let places = HostPlaces::read(files, &hosts, host.name);
    places.add_computed_files(host, &mut own);
    own
}

/// Returns the hosts of the flake that are among `like`; all if none is.
fn hosts_to_learn_from(files: &dyn FleetFiles, flake: &str, like: &[String]) -> Vec<String> {
    let hosts = nix::list_hosts(files, flake).unwrap_or_default();
    let is_like = |host: &String| like.contains(host);
    if hosts.iter().any(is_like) {
        hosts.into_iter().filter(is_like).collect()
    } else {
        hosts
    }
}

/// Adds the files with the hardware and the disks of the machine that the files name.
fn with_machine_files(mut files: Vec<NewFile>, name: &str) -> Vec<NewFile> {
    let named = files
        .iter()
        .flat_map(|(path, text)| named_files(text, path, name));
    for path in named.collect::<BTreeSet<String>>() {
        let is_known = files.iter().any(|(known, _)| *known == path);
        if let Some(text) = machine_skeleton(&path).filter(|_| !is_known) {
            files.push((path, text.to_owned()));
        }
    }
    files
}

/// A file that a host needs.
#[derive(Clone)]
struct WantedFile {
    path: String,
    /// True if the fleet reads it beside the host's main file.
    is_beside: bool,
}

/// Returns the files that the entry names, else the host's main file or parts, and those that the
/// fleet reads beside them.
fn list_wanted(
    places: &HostPlaces<'_>,
    name: &str,
    named: Vec<String>,
    added: &Placement,
) -> Vec<WantedFile> {
    let has_room = named.is_empty() && !names_all_modules(&added.value);
    let own = places.own_files(name, named, has_room).into_iter();
    let own = own.map(|path| (path, false));
    let beside = places.companions(name).into_iter().map(|path| (path, true));
    own.chain(beside)
        .map(|(path, is_beside)| WantedFile { path, is_beside })
        .collect()
}

/// Adds the files that a host needs, with those that they name.
fn complete_files(
    places: &HostPlaces<'_>,
    host: &NewHost<'_>,
    named: Vec<String>,
    added: &Placement,
    mut learnt: Vec<NewFile>,
) -> Vec<NewFile> {
    let name = host.name;
    let called = called_files(&added.value, &added.file);
    let imported = named.first().cloned();
    let imported = imported.filter(|_| added.value.starts_with("import "));
    let mut wanted = list_wanted(places, name, named, added);
    wanted.reverse();
    while let Some(WantedFile { path, is_beside }) = wanted.pop() {
        if learnt.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let are_data = places.are_data(&path, name);
        let own = if is_beside {
            places.companion_text(&path, host)
        } else if imported.as_ref() == Some(&path) || are_data {
            places.data_text(&path, host)
        } else {
            None
        };
        let text = match own {
            Some(text) => text,
            None if are_data => "{ }\n".to_owned(),
            None => places.text_of(&path, name, &learnt),
        };
        let text = places.with_head(&path, name, text, called.contains(&path));
        let mut more = named_files(&text, &path, name);
        more.retain(|path| !is_beside || machine_skeleton(path).is_some());
        let more = more.into_iter();
        wanted.extend(more.map(|path| WantedFile { path, is_beside }));
        learnt.push((path, text));
    }
    places.set_name_once(&mut learnt, name);
    learnt
}

/// Returns the files below the fleet's root that `value`, an expression in the file `file`, calls
/// as functions.
fn called_files(value: &str, file: &str) -> Vec<String> {
    let called = nix::called_files(value).into_iter();
    let called = called.filter_map(|path| nix::resolve_path(file, &path));
    called.map(main_file_of).collect()
}

/// Returns the file that `import` reads at a path: the file itself, or that of the folder.
fn main_file_of(path: String) -> String {
    if nix::is_nix_file(&path) {
        path
    } else {
        format!("{path}/default.nix")
    }
}

/// Returns whether an entry calls `nixosSystem` itself, so that it names all modules of the host.
fn names_all_modules(value: &str) -> bool {
    let function = value.split(['{', '(', '[']).next().unwrap_or_default();
    function.trim_end().ends_with("nixosSystem")
}

/// Returns the files that the entry of a host in the flake names beside its own modules.
fn files_of_entry(
    files: &dyn FleetFiles,
    flake: &str,
    host: &NewHost<'_>,
    own: &[NewFile],
) -> Vec<NewFile> {
    let with_own = WithFiles {
        below: files,
        more: own,
    };
    let Ok(added) = nix::add_host(&with_own, flake, host) else {
        return Vec::new();
    };
    if added.file.is_empty() || !matches!(added.origin, Origin::Learnt(_) | Origin::Typical { .. })
    {
        return Vec::new();
    }
    let places = HostPlaces::read(files, &[], host.name);
    let named = named_files(&added.value, &added.file, host.name).into_iter();
    let missing = named.filter(|path| with_own.read(path).is_none());
    missing
        .map(|path| (path.clone(), places.first_text(&path, host.name)))
        .collect()
}

/// Returns the further files that the files of a host name, with the least text.
fn files_named_in(own: &[NewFile], name: &str, system: Option<&str>) -> Vec<NewFile> {
    let is_own = |path: &String| own.iter().any(|(known, _)| known == path);
    let named = own.iter().flat_map(|(file, text)| {
        let paths = nix::named_paths(text, file).into_iter();
        let reports = paths.filter(|path| is_report(path) && rename_path(path, name).is_some());
        let reports: Vec<String> = reports.collect();
        [named_files(text, file, name), reports].concat()
    });
    let mut named: Vec<String> = named.filter(|path| !is_own(path)).collect();
    named.sort();
    named.dedup();
    let has_name = own.iter().any(|(_, text)| text.contains("hostName"));
    let host_name = format!("{{\n  networking.hostName = \"{name}\";\n}}\n");
    let text = |path: &String| match skeleton(path) {
        _ if is_report(path) => empty_report(system),
        Some(text) => text.to_owned(),
        None if is_main_file(path, name) && !has_name => host_name.clone(),
        None => "{ }\n".to_owned(),
    };
    let named = named.into_iter();
    named.map(|path| (path.clone(), text(&path))).collect()
}

/// Removes the files, but not the first, that name a file which neither the fleet nor the host has.
fn drop_files_that_lack_one(files: &dyn FleetFiles, own: &mut Vec<NewFile>) {
    let paths: BTreeSet<String> = own.iter().map(|(path, _)| path.clone()).collect();
    let main = own.first().map(|(path, _)| path.clone());
    own.retain(|(path, text)| {
        Some(path) == main.as_ref() || has_named_files(files, path, text, &paths)
    });
}

/// Returns whether a file is the report of nixos-facter on a machine's hardware.
fn is_report(path: &str) -> bool {
    path.ends_with("/facter.json")
}

/// Returns a report of nixos-facter without any hardware.
fn empty_report(system: Option<&str>) -> String {
    let system = system.unwrap_or("x86_64-linux");
    format!(
        "{{\n  \"version\": 1,\n  \"system\": \"{system}\",\n  \"virtualisation\": \"none\",\n  \"hardware\": {{}}\n}}\n"
    )
}

/// Returns whether each file that a text names by a relative path exists or is among `paths`.
fn has_named_files(
    files: &dyn FleetFiles,
    path: &str,
    text: &str,
    paths: &BTreeSet<String>,
) -> bool {
    nix::named_paths(text, path).into_iter().all(|target| {
        let inner = format!("{target}/default.nix");
        let is_known = |path: &String| paths.contains(path) || files.read(path).is_some();
        is_known(&target) || is_known(&inner) || !files.list(&target).is_empty()
    })
}

/// A folder in which each host has a file or a folder of its own.
#[derive(Debug)]
pub(crate) struct HostFolder {
    /// The path from the fleet's root.
    pub(crate) folder: String,
    /// The hosts' files or folders in it.
    pub(crate) entries: Vec<String>,
}

/// Returns the folder below the fleet's root in which most hosts have their main file.
pub(crate) fn locate_host_folder(files: &dyn FleetFiles, flake: &str) -> Option<HostFolder> {
    let hosts = nix::list_hosts(files, flake).unwrap_or_default();
    let places = HostPlaces::read(files, &hosts, "");
    let pattern = places.main_pattern()?;
    let is_common = pattern.hosts.len() * 2 > places.hosts.len();
    let (folder, rest) = pattern.path.split_once(&format!("/{MARK}"))?;
    let end = rest.split('/').next().unwrap_or_default();
    let hosts = pattern.hosts.iter();
    (is_common && !is_of_users(folder)).then(|| HostFolder {
        folder: folder.to_owned(),
        entries: hosts.map(|host| format!("{host}{end}")).collect(),
    })
}

/// Returns whether a flake reads all files of a folder, so that their names say nothing of hosts.
fn is_found_in_tree(added: &Placement) -> bool {
    match &added.origin {
        Origin::Discovered(Discovery { reader, .. }) => reader.ends_with("import-tree"),
        _ => false,
    }
}

/// Returns whether the flake finds a host by another file than these, which are none that make it.
fn is_found_elsewhere(added: &Placement, name: &str, own: &[NewFile]) -> bool {
    match &added.origin {
        Origin::Discovered(discovery) if !is_found_in_tree(added) => {
            let main = discovery.file.replace(MARK, name);
            own.iter().all(|(path, _)| *path != main)
        }
        _ => false,
    }
}

/// Returns the files that the entry of a host names, or that the flake finds it by.
fn entry_files(files: &dyn FleetFiles, flake: &str, name: &str, added: &Placement) -> Vec<String> {
    match &added.origin {
        Origin::Discovered(discovery) => vec![discovery.file.replace(MARK, name)],
        Origin::Existing => {
            let mut named = named_files(&added.value, &added.file, name);
            named.extend(files_in_texts(files, name, added));
            named.retain(|path| files.read(path).is_some());
            named
        }
        Origin::Given
        | Origin::Name
        | Origin::Learnt(_)
        | Origin::Typical { .. }
        | Origin::Data(_)
        | Origin::First => {
            let place = Some(added.file.as_str()).filter(|file| !file.is_empty());
            let mut named = named_files(&added.value, place.unwrap_or(flake), name);
            named.extend(files_in_texts(files, name, added));
            named
        }
    }
}

/// Returns the files that an entry names by texts, where the host that it is learnt from has them.
fn files_in_texts(files: &dyn FleetFiles, name: &str, added: &Placement) -> Vec<String> {
    let like = match &added.origin {
        Origin::Learnt(like) | Origin::Typical { like, .. } => like,
        Origin::Existing => name,
        _ => return Vec::new(),
    };
    let is_of_host = |path: &String| {
        let form = rename_path(path, name);
        let other = form.map(|form| form.replace(MARK, like));
        other.is_some_and(|other| files.read(&main_file_of(other)).is_some())
    };
    let paths = nix::text_paths(&added.value).into_iter();
    paths.filter(is_of_host).map(main_file_of).collect()
}

/// Returns the files below the fleet's root that `value`, an expression in the file `file`, names
/// together with the host.
fn named_files(value: &str, file: &str, name: &str) -> Vec<String> {
    let named = nix::named_paths(value, file).into_iter();
    // a file of another kind, such as an encrypted secret, is not made
    let is_module = |path: &String| {
        let last = path.rsplit('/').next().unwrap_or_default();
        nix::is_nix_file(path) || !last.trim_start_matches(name).contains('.')
    };
    named
        .filter(|path| rename_path(path, name).is_some() && is_module(path))
        .map(main_file_of)
        .collect()
}
