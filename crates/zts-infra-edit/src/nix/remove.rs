//! Removes a host from an output of a flake.

use std::ops::Range;

use rnix::{SyntaxKind, SyntaxNode};

use super::data::remove_from_data;
use super::files::{Overlay, SourceFile, Sources};
use super::flake_hosts::{FlakeHosts, HostEntry};
use super::insertion::{choose_insertion, layout_block};
use super::open::open_output;
use super::parse::{node_range, parse_source, significant_tokens};
use super::unsupported::{cannot_remove, unsupported_shape};
use crate::error::FileError;
use crate::notice::check_notice_of_removal;
use crate::text::splice;

/// Removes all entries of `host` from the output at the path `output`, in the edits of `files`.
pub(super) fn remove_from_output(
    files: &mut Overlay<'_>,
    flake: &str,
    output: &[&str],
    host: &str,
) -> Result<(), FileError> {
    loop {
        let edit = {
            let sources = Sources::new(files);
            let (file, found) = open_output(&sources, flake, output)?;
            let place = |node: &SyntaxNode| sources.file_of(node).unwrap_or_else(|| file.clone());
            let Some(entry) = found.find_host(host) else {
                let data = found.data.clone();
                if data
                    .iter()
                    .any(|data| data.names.iter().any(|name| name == host))
                {
                    drop(sources);
                    return remove_from_data(files, &data, host);
                }
                return match cannot_remove(&found, output, host, place) {
                    Some(error) => Err(error),
                    None => Ok(()),
                };
            };
            let place = place(&entry.entry);
            check_notice_of_removal(&place.text, host).map_err(|error| FileError {
                file: place.path.clone(),
                error,
            })?;
            let search = |sources: &Sources<'_>| {
                let found = open_output(sources, flake, output).ok();
                found.map(|(_, found)| found)
            };
            let removal = Removal {
                files,
                search: &search,
                found: &found,
                host: entry,
                place: &place,
            };
            let result = removal.remove_entry().ok_or_else(|| FileError {
                file: place.path.clone(),
                error: unsupported_shape(
                    &place.text,
                    &entry.entry,
                    "this entry cannot be removed safely",
                ),
            })?;
            (place.path.clone(), result)
        };
        files.edits.extend([edit]);
    }
}

/// The removal of one entry.
pub(super) struct Removal<'a> {
    pub(super) files: &'a Overlay<'a>,
    /// Finds the entries again.
    pub(super) search: &'a dyn Fn(&Sources<'_>) -> Option<FlakeHosts>,
    pub(super) found: &'a FlakeHosts,
    pub(super) host: &'a HostEntry,
    pub(super) place: &'a SourceFile,
}

impl Removal<'_> {
    /// Tries the candidates for the removal. Returns the first that reverts the entry's addition
    /// exactly, else the first that leaves the others unchanged.
    pub(super) fn remove_entry(&self) -> Option<String> {
        let source = &self.place.text;
        let mut fallback = None;
        for (range, replacement) in removal_candidates(source, self.host)? {
            let result = splice(source, range, &[&replacement]);
            if parse_source(&result).is_err() {
                continue;
            }
            let edits = [(self.place.path.clone(), result.clone())].into();
            let overlay = Overlay {
                below: self.files,
                edits,
            };
            let sources = Sources::new(&overlay);
            let Some(rest) = (self.search)(&sources) else {
                continue;
            };
            if !keeps_others(self.found, &rest, self.host) {
                continue;
            }
            if self.is_reverted(&result, &rest) {
                return Some(result);
            }
            fallback.get_or_insert(result);
        }
        fallback
    }

    /// Returns whether the addition of the entry to `result` gives the source.
    fn is_reverted(&self, result: &str, rest: &FlakeHosts) -> bool {
        let entry = &self.place.text[node_range(&self.host.entry)];
        [true, false].into_iter().any(|has_value| {
            let set = rest.choose_set(has_value);
            let first = rest.first_host_set.as_ref().map(|first| &first.container);
            let container = set.map(|set| &set.container).or(first);
            let root = container.and_then(|container| container.ancestors().last());
            if root.is_none_or(|root| root.text() != result) {
                return false; // the place for a host is in another file
            }
            let again = choose_insertion(result, rest, set, &self.host.name);
            again.is_some_and(|again| again.insertion.insert(result, entry) == self.place.text)
        })
    }
}

fn removal_candidates(source: &str, host: &HostEntry) -> Option<Vec<(Range<usize>, String)>> {
    if host.entry.kind() == SyntaxKind::NODE_INHERIT && count_inherited_names(&host.entry) > 1 {
        return Some(vec![(
            inherited_name_range(source, &host.attribute),
            String::new(),
        )]);
    }
    let block = layout_block(source, &host.container)?;
    let entry = node_range(&host.entry);
    let index = block.entries.iter().position(|other| *other == entry)?;
    Some(block.removals(index))
}

fn count_inherited_names(entry: &SyntaxNode) -> usize {
    entry
        .children()
        .filter(|child| {
            matches!(
                child.kind(),
                SyntaxKind::NODE_IDENT | SyntaxKind::NODE_STRING
            )
        })
        .count()
}

/// Returns the range of one name of an `inherit`, with the blanks before it.
fn inherited_name_range(source: &str, attribute: &SyntaxNode) -> Range<usize> {
    let name = node_range(attribute);
    source[..name.start].trim_end().len()..name.end
}

/// Returns whether all other hosts are unchanged.
fn keeps_others(before: &FlakeHosts, after: &FlakeHosts, removed: &HostEntry) -> bool {
    let others = before
        .hosts
        .iter()
        .filter(|host| host.attribute != removed.attribute);
    let texts = |host: &HostEntry| {
        (
            host.name.clone(),
            host.value.as_ref().map(significant_tokens),
        )
    };
    others.map(texts).eq(after.hosts.iter().map(texts))
}
