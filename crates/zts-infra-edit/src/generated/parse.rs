//! Parses the file into hosts.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object};
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use super::host::GeneratedHost;
use super::render::{BOUNDS, HEADER, PATHS};
use crate::error::{Error, Position};
use crate::hcl;

/// Returns the hosts of a generated file, sorted by name; none for an empty one.
///
/// # Errors
///
/// [`Error::NotGenerated`] for a file that does not begin with the header of create-host, or has a
/// part that [`super::render_hosts`] does not write and would therefore lose. [`Error::Parse`] for
/// one that is not valid.
pub fn parse_hosts(source: &str) -> Result<Vec<GeneratedHost>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if text.lines().next() != Some(HEADER) {
        return Err(not_generated(
            text,
            0,
            "the file does not begin with the header of create-host",
        ));
    }
    let body = hcl::parse_file(text)?;
    let locals = check_parts(text, &body)?;
    let paths = local_object(locals, PATHS).ok_or_else(|| {
        not_generated(
            text,
            0,
            &format!("`{PATHS}` is not an object in the `locals` block"),
        )
    })?;
    let mut bounds = match local_object(locals, BOUNDS) {
        Some(bounds) => parse_entries(text, bounds, parse_strings)?,
        None => BTreeMap::new(),
    };
    let hosts = parse_entries(text, paths, |value| match value {
        Expression::Object(object) => parse_entries(text, object, parse_strings).ok(),
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

/// Checks that every part is a generated one, and returns the `locals` block.
fn check_parts<'a>(source: &str, body: &'a Body) -> Result<&'a Block, Error> {
    let mut locals = None;
    for structure in body {
        let start = structure.span().map_or(0, |range| range.start);
        match structure {
            Structure::Block(block) if block.has_ident("locals") && locals.is_none() => {
                locals = Some(block);
            }
            Structure::Block(block) if is_generated(block) => {}
            _ => {
                return Err(not_generated(
                    source,
                    start,
                    "this was not written by create-host",
                ));
            }
        }
    }
    let block = locals.ok_or_else(|| not_generated(source, 0, "there is no `locals` block"))?;
    let other = |attribute: &&Attribute| ![PATHS, BOUNDS].contains(&attribute.key.as_str());
    match block.body.attributes().find(other) {
        Some(attribute) => {
            let start = attribute.span().map_or(0, |range| range.start);
            Err(not_generated(
                source,
                start,
                &format!(
                    "`{}` was not written by create-host",
                    attribute.key.as_str()
                ),
            ))
        }
        None => Ok(block),
    }
}

fn is_generated(block: &Block) -> bool {
    block.has_ident("resource")
        && (block.has_exact_labels(&["vault_policy", "generated_host_policies"])
            || block.has_exact_labels(&["vault_approle_auth_backend_role", "generated_hosts"]))
}

fn local_object<'a>(block: &'a Block, name: &str) -> Option<&'a Object> {
    match &block.body.get_attribute(name)?.value {
        Expression::Object(object) => Some(object),
        _ => None,
    }
}

/// Returns the entries of an object; `parse_value` parses each value.
fn parse_entries<T>(
    source: &str,
    object: &Object,
    parse_value: impl Fn(&Expression) -> Option<T>,
) -> Result<BTreeMap<String, T>, Error> {
    object
        .iter()
        .map(|(key, item)| {
            let start = key.span().map_or(0, |range| range.start);
            hcl::key_name(key)
                .zip(parse_value(item.expr()))
                .ok_or_else(|| {
                    not_generated(source, start, "this entry was not written by create-host")
                })
        })
        .collect()
}

fn parse_strings(value: &Expression) -> Option<BTreeSet<String>> {
    let Expression::Array(array) = value else {
        return None;
    };
    array
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn not_generated(source: &str, offset: usize, problem: &str) -> Error {
    Error::NotGenerated {
        problem: problem.to_owned(),
        position: Position::at(source, offset),
    }
}
