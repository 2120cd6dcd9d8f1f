//! Opens a flake: the hosts in one of its outputs, wherever they are.

use std::rc::Rc;

use super::discovery::{Discovery, find_discovery};
use super::files::{SourceFile, Sources};
use super::flake_hosts::FlakeHosts;
use super::guess::guess_folder;
use super::locate::CONFIGURATIONS;
use super::output::{COLMENA, HIVE, IMPORTS, search_imports, search_output};
use super::registry::{
    find_file_of_hosts, find_in_modules, find_larger_registry, find_registry,
    find_variable_of_hosts,
};
use super::siblings::is_in_own_file;
use crate::error::{Error, FileError};

/// Locates the hosts in the output at the path `output`.
pub(super) fn open_output(
    sources: &Sources<'_>,
    flake: &str,
    output: &[&str],
) -> Result<(Rc<SourceFile>, FlakeHosts), FileError> {
    let opened = sources.open(flake).unwrap_or_else(|| {
        let entry = "the file".to_owned();
        Err(Error::Missing { entry })
    });
    let file = opened.map_err(|error| FileError {
        file: flake.to_owned(),
        error,
    })?;
    if output == IMPORTS {
        let (_, found) = open_output(sources, flake, &[CONFIGURATIONS])?;
        let mut own = found.hosts;
        own.retain(|host| is_in_own_file(sources, host));
        let mut names: Vec<String> = own.into_iter().map(|host| host.name).collect();
        names.sort();
        names.dedup();
        let found = match names.as_slice() {
            [_, _, ..] => search_imports(sources, &names),
            _ => FlakeHosts::default(),
        };
        return Ok((file, found));
    }
    let found = search_output(sources, &file, output);
    if output != [CONFIGURATIONS] || !found.data.is_empty() {
        return Ok((file, found));
    }
    if !found.sets.is_empty() {
        let larger = find_larger_registry(sources, &file, &found);
        return Ok((file, larger.unwrap_or(found)));
    }
    let found = find_in_modules(sources, &file, output).unwrap_or(found);
    if !found.hosts.is_empty() || found.obstacles.is_empty() {
        return Ok((file, found));
    }
    let named = find_registry(sources, &found).or_else(|| {
        let read = discover(sources, &file, output, &found);
        if read.as_ref().is_some_and(Discovery::is_of_project) {
            return None;
        }
        let read = read.map_or(0, |discovery| discovery.hosts.len());
        // a list of some hosts, such as those of a script, makes none; a new host has files before
        // it has an entry
        let named = find_variable_of_hosts(sources, &found);
        let named = named.filter(|named| named.hosts.len() + 1 >= read);
        named.or_else(|| (read == 0).then(|| find_file_of_hosts(sources))?)
    });
    Ok((file, named.unwrap_or(found)))
}

/// Returns the folder in which the flake finds its hosts, if it has more of them than the flake has
/// entries.
pub(super) fn discover(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
    found: &FlakeHosts,
) -> Option<Discovery> {
    if ![&[CONFIGURATIONS], COLMENA, HIVE].contains(&output) || !found.data.is_empty() {
        return None;
    }
    find_discovery(sources, flake, found)
        .filter(|discovery| found.sets.is_empty() || discovery.hosts.len() > found.hosts.len())
        .or_else(|| guess_folder(sources, flake, output, found))
}
