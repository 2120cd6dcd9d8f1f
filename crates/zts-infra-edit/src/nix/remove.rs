//! Removes a host from `nixosConfigurations`.

use std::ops::Range;

use rnix::{SyntaxKind, SyntaxNode};

use super::flake_hosts::{FlakeHosts, HostEntry};
use super::insertion::{choose_insertion, layout_block};
use super::locate::locate_hosts;
use super::parse::{node_range, parse_source, significant_tokens};
use super::unsupported::{cannot_remove, unsupported_shape};
use crate::error::Error;
use crate::text::splice;

/// See [`super::remove_configuration`].
pub(super) fn remove_configuration(source: &str, host: &str) -> Result<String, Error> {
    let mut current = source.to_owned();
    loop {
        let root = parse_source(&current)?;
        let found = locate_hosts(&root);
        let Some(entry) = found.find_host(host) else {
            return match cannot_remove(&current, &found, host) {
                Some(error) => Err(error),
                None => Ok(current),
            };
        };
        current = remove_entry(&current, &found, entry).ok_or_else(|| {
            unsupported_shape(
                &current,
                &entry.entry,
                "this entry cannot be removed safely",
            )
        })?;
    }
}

/// Tries the candidates for the removal. Returns the first that reverts the entry's addition
/// exactly, else the first that leaves the others unchanged.
fn remove_entry(source: &str, found: &FlakeHosts, host: &HostEntry) -> Option<String> {
    let mut fallback = None;
    for (range, replacement) in removal_candidates(source, host)? {
        let result = splice(source, range, &[&replacement]);
        let Ok(root) = parse_source(&result) else {
            continue;
        };
        let rest = locate_hosts(&root);
        if !keeps_others(found, &rest, host) {
            continue;
        }
        let again = choose_insertion(&result, &rest, &host.name);
        let entry = &source[node_range(&host.entry)];
        if again.is_some_and(|again| again.insertion.insert(&result, entry) == source) {
            return Some(result);
        }
        fallback.get_or_insert(result);
    }
    fallback
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
