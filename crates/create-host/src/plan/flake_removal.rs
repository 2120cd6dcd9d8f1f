//! The removal of a host's entry in the flake.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use zts_cli::Failure;
use zts_infra_edit::nix::{self, FileEdit, FleetFiles};

use super::{
    flake::{own_host, reads_machine_map},
    sources::Sources,
};
use crate::{
    change::ChangeSet,
    failure::edit_failure,
    fleet::Settings,
    host::HostName,
    overlay::{NewFile, WithFiles, WithoutRemoved},
};

/// Returns whether a host without files has an entry in the flake that create-host would write
/// again, without an address or with one that the entry has.
pub(super) fn has_learnt_entry(name: &HostName, sources: &Sources, settings: &Settings) -> bool {
    let (files, flake) = (&sources.tree, settings.paths.flake.as_str());
    if !sources.needs_no_files || settings.text.flake_entry.is_some() {
        return false;
    }
    let Ok(removed) = nix::remove_host(files, flake, name.as_str()) else {
        return false;
    };
    let edits = removed.edits.into_iter();
    let edited: Vec<NewFile> = edits.map(|edit| (edit.path, edit.text)).collect();
    let rest = WithFiles {
        below: files,
        more: &edited,
    };
    let is_same = |edit: &FileEdit| files.read(&edit.path).as_ref() == Some(&edit.text);
    let written = edited.iter().flat_map(|(path, rest)| {
        let text = files.read(path).unwrap_or_default();
        removed_addresses(&text, rest)
    });
    let addresses = [None].into_iter().chain(written.map(Some));
    addresses.into_iter().any(|address| {
        let host = own_host(name, address.as_deref(), sources, settings);
        let again = nix::add_host(&rest, flake, &host);
        again.is_ok_and(|again| !again.edits.is_empty() && again.edits.iter().all(is_same))
    })
}

/// Returns the addresses in the lines of a text that the rest has not, with a prefix length.
fn removed_addresses(text: &str, rest: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || "./:".contains(letter);
    let kept: BTreeSet<&str> = rest.lines().collect();
    let lines = text.lines().filter(|line| !kept.contains(line));
    let words = lines.flat_map(|line| line.split(move |letter| !is_part(letter)));
    let with_length = words.filter_map(|word| match word.parse::<IpAddr>() {
        Ok(_) => Some(format!("{word}/24")),
        Err(_) => word.parse::<IpNet>().is_ok().then(|| word.to_owned()),
    });
    with_length.collect()
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
