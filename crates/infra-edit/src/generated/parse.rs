//! From the text of the file back to the hosts.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object};
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use super::GeneratedHost;
use super::render::{BOUNDS, MARK, PATHS};
use crate::error::{Error, Position};
use crate::hcl;

/// The hosts of a generated file, sorted by name; none for an empty one.
///
/// # Errors
///
/// [`Error::NotGenerated`] for a file that does not begin with our header, or holds something that [`super::render`] does
/// not write: it would be lost. [`Error::Parse`] for one that is not valid.
pub fn parse(source: &str) -> Result<Vec<GeneratedHost>, Error> {
    let (_, text) = hcl::split_mark(source);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if text.lines().next() != Some(MARK) {
        return Err(foreign(
            text,
            0,
            "the file does not begin with the header of create-host",
        ));
    }
    let body = hcl::parse(text)?;
    let locals = known_parts(text, &body)?;
    let paths = local(locals, PATHS).ok_or_else(|| {
        foreign(
            text,
            0,
            &format!("`{PATHS}` is not an object in the `locals` block"),
        )
    })?;
    let mut bounds = match local(locals, BOUNDS) {
        Some(bounds) => read(text, bounds, strings)?,
        None => BTreeMap::new(),
    };
    let hosts = read(text, paths, |value| match value {
        Expression::Object(object) => read(text, object, strings).ok(),
        _ => None,
    })?;
    let hosts = hosts.into_iter().map(|(name, paths)| {
        let bound_cidrs = bounds.remove(&name).unwrap_or_default();
        GeneratedHost {
            name,
            paths,
            bound_cidrs,
        }
    });
    Ok(hosts.collect())
}

/// Checks that every part is one that we write, and gives the `locals` block.
fn known_parts<'a>(source: &str, body: &'a Body) -> Result<&'a Block, Error> {
    let mut locals = None;
    for structure in body {
        let start = structure.span().map_or(0, |range| range.start);
        match structure {
            Structure::Block(block) if block.has_ident("locals") && locals.is_none() => {
                locals = Some(block);
            }
            Structure::Block(block) if is_ours(block) => {}
            _ => return Err(foreign(source, start, "this is not from create-host")),
        }
    }
    let block = locals.ok_or_else(|| foreign(source, 0, "there is no `locals` block"))?;
    let other = |attribute: &&Attribute| ![PATHS, BOUNDS].contains(&attribute.key.as_str());
    match block.body.attributes().find(other) {
        Some(attribute) => {
            let start = attribute.span().map_or(0, |range| range.start);
            Err(foreign(
                source,
                start,
                &format!("`{}` is not from create-host", attribute.key.as_str()),
            ))
        }
        None => Ok(block),
    }
}

fn is_ours(block: &Block) -> bool {
    block.has_ident("resource")
        && (block.has_exact_labels(&["vault_policy", "generated_host_policies"])
            || block.has_exact_labels(&["vault_approle_auth_backend_role", "generated_hosts"]))
}

fn local<'a>(block: &'a Block, name: &str) -> Option<&'a Object> {
    match &block.body.get_attribute(name)?.value {
        Expression::Object(object) => Some(object),
        _ => None,
    }
}

/// The entries of an object, each value read by `value`.
fn read<T>(
    source: &str,
    object: &Object,
    value: impl Fn(&Expression) -> Option<T>,
) -> Result<BTreeMap<String, T>, Error> {
    object
        .iter()
        .map(|(key, item)| {
            let start = key.span().map_or(0, |range| range.start);
            hcl::key_name(key)
                .zip(value(item.expr()))
                .ok_or_else(|| foreign(source, start, "this entry is not from create-host"))
        })
        .collect()
}

fn strings(value: &Expression) -> Option<BTreeSet<String>> {
    let Expression::Array(array) = value else {
        return None;
    };
    array
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn foreign(source: &str, offset: usize, what: &str) -> Error {
    Error::NotGenerated {
        what: what.to_owned(),
        position: Position::at(source, offset),
    }
}
