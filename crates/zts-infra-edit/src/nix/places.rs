//! The places of a host in a flake: its configuration, and entries for tools that deploy it.

use std::collections::BTreeMap;

use super::abstraction::rename_segments;
use super::add::add_to_output;
use super::files::{FleetFiles, Overlay, Sources};
use super::locate::CONFIGURATIONS;
use super::new_host::{ANY_ADDRESS, Addition, FileEdit, NewHost};
use super::open::{discover, open_output};
use super::origin::Origin;
use super::output::{COLMENA, HIVE, IMPORTS, OTHER_OUTPUTS};
use super::paths::named_paths;
use super::register_groups::list_groups;
use super::registers::{
    Completion, TypicalEntry, add_to_registers, list_used, remove_from_registers,
};
use super::remove::remove_from_output;
use crate::error::FileError;

/// The result of an addition to all places of a host.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The edited files.
    pub edits: Vec<FileEdit>,
    /// The text of the configuration's value.
    pub value: String,
    /// The origin of the configuration's value.
    pub origin: Origin,
    /// The file with the configuration's entry; empty if there is none.
    pub file: String,
    /// The other outputs that have an entry for most hosts but cannot be edited.
    pub by_hand: Vec<String>,
    /// The sets with an entry for each host that got one like that of the most typical host.
    pub typical: Vec<TypicalEntry>,
    /// The sets with an entry for each host that got none, because nothing shows a need for one:
    /// files and lines.
    pub others: Vec<(String, usize)>,
}

/// The result of a removal from all places of a host.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The edited files.
    pub edits: Vec<FileEdit>,
    /// The other outputs that name the host but cannot be edited.
    pub by_hand: Vec<String>,
}

/// Adds a host to all places.
pub(super) fn place_host(
    files: &dyn FleetFiles,
    flake: &str,
    host: &NewHost<'_>,
) -> Result<Placement, FileError> {
    let output = main_output(files, flake)?;
    let hosts = hosts_of(files, flake, output);
    let added = add_to_output(files, flake, output, host)?;
    let mut overlay = Overlay {
        below: files,
        edits: BTreeMap::new(),
    };
    let mut completion = apply_edit(&mut overlay, added.edit, flake, &hosts, host)?;
    let mut by_hand = Vec::new();
    for other in OTHER_OUTPUTS.into_iter().filter(|other| *other != output) {
        match add_to_other_output(&mut overlay, flake, other, &hosts, host) {
            OtherEntry::Unneeded => {}
            OtherEntry::Added(more) => {
                completion.typical.extend(more.typical);
                completion.others = more.others;
            }
            OtherEntry::ByHand => by_hand.push(other.join(".")),
        }
    }
    Ok(Placement {
        edits: into_edits(overlay),
        value: added.value,
        origin: added.origin,
        file: added.file,
        by_hand,
        typical: completion.typical,
        others: completion.others.into_iter().collect(),
    })
}

/// Applies the edit of an output, and adds the host to the registers that its entry then needs. A
/// host whose files alone are asked for is in no register.
fn apply_edit(
    overlay: &mut Overlay<'_>,
    edit: Option<FileEdit>,
    flake: &str,
    hosts: &[String],
    host: &NewHost<'_>,
) -> Result<Completion, FileError> {
    overlay
        .edits
        .extend(edit.map(|edit| (edit.path, edit.text)));
    if host.address == Some(ANY_ADDRESS) {
        return Ok(Completion::default());
    }
    let others = hosts.iter().filter(|other| *other != host.name);
    let others: Vec<String> = others.cloned().collect();
    let mut completion = add_to_registers(overlay, flake, &others, host)?;
    for group in list_groups(overlay, &others, host.name) {
        let more = add_to_registers(overlay, flake, &group, host)?;
        completion.typical.extend(more.typical);
    }
    Ok(completion)
}

/// The entry of a host in another output than that of its configuration.
enum OtherEntry {
    /// The output has one of the host, or none of the others, or finds its hosts itself.
    Unneeded,
    Added(Completion),
    ByHand,
}

/// Adds a host to another output than that of its configuration, if that has the other `hosts` and
/// shows the host's entry.
fn add_to_other_output(
    overlay: &mut Overlay<'_>,
    flake: &str,
    output: &[&str],
    hosts: &[String],
    host: &NewHost<'_>,
) -> OtherEntry {
    let there = hosts_of(overlay, flake, output);
    let shared = there.iter().filter(|name| hosts.contains(name)).count();
    if shared == 0 || there.iter().any(|name| name == host.name) {
        return OtherEntry::Unneeded;
    }
    if shared * 2 < hosts.len() {
        return OtherEntry::ByHand;
    }
    let learnt = NewHost {
        value: None,
        ..*host
    };
    let edit = match add_to_output(overlay, flake, output, &learnt) {
        Ok(added) if matches!(added.origin, Origin::Discovered(_)) => return OtherEntry::Unneeded,
        Ok(added) if is_sure(&added, host.name, overlay) => added.edit,
        _ => None,
    };
    if edit.is_none() {
        return OtherEntry::ByHand;
    }
    let before = overlay.edits.clone();
    if let Ok(completion) = apply_edit(overlay, edit, flake, hosts, host) {
        return OtherEntry::Added(completion);
    }
    overlay.edits = before;
    OtherEntry::ByHand
}

/// Returns whether an entry is the one that the host needs: most other hosts have such an entry,
/// and the host has the files that it names.
fn is_sure(added: &Addition, host: &str, files: &dyn FleetFiles) -> bool {
    !matches!(added.origin, Origin::Typical { .. }) && names_present_files(added, host, files)
}

/// Adds the file of a host to the list `imports` that has those of most hosts; `None` without such
/// a list.
pub fn add_import(files: &dyn FleetFiles, flake: &str, host: &NewHost<'_>) -> Option<FileEdit> {
    add_to_output(files, flake, IMPORTS, host).ok()?.edit
}

/// Returns whether the host has each file that its entry names, where the host that it is learnt
/// from has its own.
fn names_present_files(added: &Addition, host: &str, files: &dyn FleetFiles) -> bool {
    let (Some(edit), Origin::Learnt(like)) = (&added.edit, &added.origin) else {
        return true;
    };
    let is_present = |path: &str| files.read(path).is_some() || !files.list(path).is_empty();
    let mut paths = named_paths(&added.value, &edit.path).into_iter();
    paths.all(|path| is_present(&path) || !is_present(&rename_segments(&path, host, like)))
}

/// Removes a host from all places.
pub(super) fn displace_host(
    files: &dyn FleetFiles,
    flake: &str,
    host: &str,
) -> Result<Removal, FileError> {
    let mut overlay = Overlay {
        below: files,
        edits: BTreeMap::new(),
    };
    let mut others = main_output(files, flake)
        .map(|output| hosts_of(files, flake, output))
        .unwrap_or_default();
    others.retain(|other| other != host);
    let mut groups: Vec<Vec<String>> = list_groups(files, &others, host).into_iter().collect();
    groups.push(others);
    let used: Vec<_> = groups
        .iter()
        .map(|group| list_used(files, group, host))
        .collect();
    let mut by_hand = Vec::new();
    for other in OTHER_OUTPUTS {
        let before = overlay.edits.clone();
        if remove_from_output(&mut overlay, flake, other, host).is_err() {
            overlay.edits = before;
            by_hand.push(other.join("."));
        }
    }
    // the configurations may be computed from the others, and name the host until now
    remove_from_output(&mut overlay, flake, &[CONFIGURATIONS], host)?;
    for (group, used) in groups.iter().zip(used) {
        remove_from_registers(&mut overlay, flake, group, host, used);
    }
    Ok(Removal {
        edits: into_edits(overlay),
        by_hand,
    })
}

fn into_edits(overlay: Overlay<'_>) -> Vec<FileEdit> {
    let edits = overlay.edits.into_iter();
    edits.map(|(path, text)| FileEdit { path, text }).collect()
}

/// Returns the output with the hosts: that of colmena, if the flake has none of its own or makes
/// them from it.
pub(super) fn main_output(
    files: &dyn FleetFiles,
    flake: &str,
) -> Result<&'static [&'static str], FileError> {
    let sources = Sources::new(files);
    let (file, found) = open_output(&sources, flake, &[CONFIGURATIONS])?;
    let is_main = !found.sets.is_empty()
        || !found.data.is_empty()
        || discover(&sources, &file, &[CONFIGURATIONS], &found).is_some();
    let colmena = [HIVE, COLMENA]
        .into_iter()
        .find(|output| !is_main && !hosts_of(files, flake, output).is_empty());
    Ok(colmena.unwrap_or(&[CONFIGURATIONS]))
}

/// Returns the names of the hosts in an output.
fn hosts_of(files: &dyn FleetFiles, flake: &str, output: &[&str]) -> Vec<String> {
    let sources = Sources::new(files);
    let Ok((file, found)) = open_output(&sources, flake, output) else {
        return Vec::new();
    };
    if let Some(discovery) = discover(&sources, &file, output, &found) {
        return discovery.hosts;
    }
    let mut names = found.names();
    names.sort();
    names
}
