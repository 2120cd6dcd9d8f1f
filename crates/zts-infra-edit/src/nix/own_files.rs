//! The files of a host in a flake whose hosts have modules of their own, one or more files each.

use super::abstraction::{MARK, Wanted, rename_segments};
use super::files::{FleetFiles, Sources, file_expression, list_nix_files};
use super::flake_hosts::FlakeHosts;
use super::learn::{Sibling, learn_value};
use super::new_host::NewHost;
use super::open::open_output;
use super::parse::untyped;
use super::places::main_output;
use super::siblings::{is_in_own_file, keep_like};
use super::system::with_system;

/// The files of a new host: the paths from the fleet's root, and the texts.
pub type OwnFiles = Vec<(String, String)>;

/// Learns the files of a host from those of the others, if more than half of the hosts are each
/// defined in a file with their name: the file itself, and those that more than half of the hosts
/// have beside it.
pub fn learn_own_files(files: &dyn FleetFiles, flake: &str, host: &NewHost<'_>) -> OwnFiles {
    let sources = Sources::new(files);
    let located = main_output(files, flake).and_then(|output| open_output(&sources, flake, output));
    let Ok((_, found)) = located else {
        return OwnFiles::new();
    };
    let owners = list_owners(&sources, &found, host.name);
    let Some(form) = most_common_form(&owners) else {
        return OwnFiles::new();
    };
    let names: Vec<&str> = owners
        .iter()
        .filter(|(_, other)| *other == form)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut learnt = Vec::new();
    for form in forms_beside(files, &form, &names) {
        let is_main = learnt.is_empty();
        match learn_file(&sources, &form, &names, host) {
            Some(file) => learnt.push(file),
            None if is_main => return OwnFiles::new(),
            None => {}
        }
    }
    learnt
}

/// Returns the hosts with the form of the file that defines each; none if fewer than half of the
/// hosts have such a file.
fn list_owners(sources: &Sources<'_>, found: &FlakeHosts, name: &str) -> Vec<(String, String)> {
    let mut hosts: Vec<&str> = Vec::new();
    let mut owners: Vec<(String, String)> = Vec::new();
    for host in found.hosts.iter().filter(|host| host.name != name) {
        if !hosts.contains(&host.name.as_str()) {
            hosts.push(&host.name);
        }
        let is_known = owners.iter().any(|(owner, _)| *owner == host.name);
        if !is_known && is_in_own_file(sources, host) {
            let path = sources.file_of(&host.entry).map(|file| file.path.clone());
            let form = rename_segments(&path.unwrap_or_default(), &host.name, MARK);
            owners.push((host.name.clone(), form));
        }
    }
    if owners.len() * 2 <= hosts.len() {
        owners.clear();
    }
    owners
}

fn most_common_form(owners: &[(String, String)]) -> Option<String> {
    let count = |form: &str| owners.iter().filter(|(_, other)| other == form).count();
    let forms = owners.iter().rev().map(|(_, form)| form);
    forms.max_by_key(|form| count(form)).cloned()
}

/// Returns the form of the main file, and those of the files that more than half of the hosts have
/// in their folder.
fn forms_beside(files: &dyn FleetFiles, main: &str, names: &[&str]) -> Vec<String> {
    let mut forms = vec![main.to_owned()];
    let Some((folder, _)) = main.rsplit_once('/').filter(|(folder, _)| {
        let last = folder.rsplit('/').next();
        last == Some(MARK)
    }) else {
        return forms;
    };
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        let mut paths = Vec::new();
        list_nix_files(files, &folder.replace(MARK, name), &mut paths);
        seen.extend(paths.iter().map(|path| rename_segments(path, name, MARK)));
    }
    let count = |form: &String| seen.iter().filter(|other| *other == form).count();
    let mut common: Vec<String> = seen
        .iter()
        .filter(|form| count(form) * 2 > names.len() && *form != main && is_near(form, folder))
        .cloned()
        .collect();
    common.sort();
    common.dedup();
    forms.extend(common);
    forms
}

/// Returns whether a file is directly in a folder, or in one that is imported by its path.
fn is_near(file: &str, folder: &str) -> bool {
    let inner = file.strip_prefix(folder).unwrap_or_default();
    let inner = inner.trim_start_matches('/');
    !inner.contains('/') || inner.starts_with('_')
}

/// Learns one file from those of the same form.
fn learn_file(
    sources: &Sources<'_>,
    form: &str,
    names: &[&str],
    host: &NewHost<'_>,
) -> Option<(String, String)> {
    let siblings: Vec<Sibling> = names
        .iter()
        .filter_map(|name| {
            let file = sources.open(&form.replace(MARK, name))?.ok()?;
            Some(Sibling {
                name: (*name).to_owned(),
                value: untyped(&file_expression(&file)?),
                tail: String::new(),
                indent: String::new(),
            })
        })
        .collect();
    let wanted = Wanted {
        name: host.name,
        address: None, // each run must give the same text, also without the address
        module: "",
        is_file: true,
    };
    let siblings = with_system(keep_like(siblings, host.like), host.system);
    let lesson = learn_value(&siblings, wanted).ok()?;
    let path = form.replace(MARK, host.name);
    let text = lesson.text.trim_start();
    // a file that has no more than a key of each host
    let text_of = |one: &Sibling| one.value.text().to_string();
    let has_key = |one: &Sibling| text_of(one).contains("\"ssh-") && !text_of(one).contains("{ }");
    if text.contains("{ }") && siblings.iter().all(has_key) {
        return None;
    }
    (path != form).then(|| (path, format!("{text}\n")))
}
