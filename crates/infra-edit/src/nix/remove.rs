//! Takes a host out of `nixosConfigurations`.

use std::ops::Range;

use rnix::{SyntaxKind, SyntaxNode};

use super::found::{Found, Host};
use super::locate::locate;
use super::parse::{meaning, parse, range};
use super::{plan, refuse};
use crate::error::Error;
use crate::text::splice;

/// See [`super::remove_configuration`].
pub(super) fn remove(source: &str, host: &str) -> Result<String, Error> {
    let mut current = source.to_owned();
    loop {
        let root = parse(&current)?;
        let found = locate(&root);
        let Some(there) = found.host(host) else {
            return match refuse::removing(&current, &found, host) {
                Some(error) => Err(error),
                None => Ok(current),
            };
        };
        current = remove_one(&current, &found, there).ok_or_else(|| {
            refuse::shape(
                &current,
                &there.entry,
                "this entry cannot be cut out safely",
            )
        })?;
    }
}

/// The first way to cut the entry out that undoes its addition exactly; else the first that harms nothing.
fn remove_one(source: &str, found: &Found, host: &Host) -> Option<String> {
    let mut fallback = None;
    for (range, replacement) in ways(source, host)? {
        let result = splice(source, range, &[&replacement]);
        let Ok(root) = parse(&result) else { continue };
        let rest = locate(&root);
        if !keeps_others(found, &rest, host) {
            continue;
        }
        let again = plan::plan(&result, &rest, &host.name);
        let entry = &source[self::range(&host.entry)];
        if again.is_some_and(|plan| plan.place.insert(&result, entry) == source) {
            return Some(result);
        }
        fallback.get_or_insert(result);
    }
    fallback
}

fn ways(source: &str, host: &Host) -> Option<Vec<(Range<usize>, String)>> {
    if host.entry.kind() == SyntaxKind::NODE_INHERIT && inherited_names(&host.entry) > 1 {
        return Some(vec![(
            inherited_name(source, &host.attribute),
            String::new(),
        )]);
    }
    let block = plan::block(source, &host.container)?;
    let entry = range(&host.entry);
    let index = block.entries.iter().position(|other| *other == entry)?;
    Some(block.removals(index))
}

fn inherited_names(entry: &SyntaxNode) -> usize {
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

/// One name of an `inherit`, with the blanks before it.
fn inherited_name(source: &str, attribute: &SyntaxNode) -> Range<usize> {
    let name = range(attribute);
    source[..name.start].trim_end().len()..name.end
}

/// Whether all hosts but the one that goes are there as they were.
fn keeps_others(before: &Found, after: &Found, gone: &Host) -> bool {
    let others = before
        .hosts
        .iter()
        .filter(|host| host.attribute != gone.attribute);
    let texts = |host: &Host| (host.name.clone(), host.value.as_ref().map(meaning));
    others.map(texts).eq(after.hosts.iter().map(texts))
}
