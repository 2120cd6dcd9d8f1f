//! Parses the file into hosts.

use std::collections::BTreeMap;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object};
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use super::earlier::{self, POLICIES};
use super::host::GeneratedHost;
use super::render::{BACKEND, BOUNDS, MORE_POLICIES, PATHS};
use crate::error::{Error, Position};
use crate::hcl;

/// The labels of the roles' resource.
const ROLES: [&str; 2] = ["vault_approle_auth_backend_role", "generated_hosts"];

const MOVE: &str =
    "move this part alone to another file of the same folder, then run the same command again";
const OTHER_FILE: &str = "name another file with `generated` under `[paths]` in `fleet.toml`; create-host then creates it";
const WRITE_OUT: &str = "write it out as a literal value, as create-host writes it for other hosts, then run the \
                         same command again";

/// The contents of a generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// The hosts, sorted by name.
    pub hosts: Vec<GeneratedHost>,
    /// The expression for the mount of the roles.
    pub backend: String,
    /// True if an earlier create-host wrote the file, in another form.
    pub is_earlier_form: bool,
}

impl Default for GeneratedFile {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            backend: BACKEND.to_owned(),
            is_earlier_form: false,
        }
    }
}

/// Returns the hosts of a generated file, sorted by name; none for an empty one.
///
/// # Errors
///
/// Those of [`parse_file`].
pub fn parse_hosts(source: &str) -> Result<Vec<GeneratedHost>, Error> {
    parse_file(source).map(|file| file.hosts)
}

/// Returns the contents of a generated file. A host is `{ path = [capabilities] }` or, in the
/// earlier form, `{ paths = [path] }` with the capabilities in the resource of the policies.
///
/// # Errors
///
/// [`Error::NotGenerated`] for a file that has a part that [`super::render_file`] does not write
/// and would therefore lose. [`Error::Parse`] for one that is not valid.
pub fn parse_file(source: &str) -> Result<GeneratedFile, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    if text.trim().is_empty() {
        return Ok(GeneratedFile::default());
    }
    let body = hcl::parse_file(text)?;
    let locals = check_parts(text, &body)?;
    let problem = || format!("`{PATHS}` is not an object in the `locals` block");
    let paths =
        local_object(locals, PATHS).ok_or_else(|| not_generated(text, 0, &problem(), WRITE_OUT))?;
    let parse_lists = |name: &str| match local_object(locals, name) {
        Some(lists) => parse_entries(text, lists, |_, value| hcl::literal_strings(value)),
        None => Ok(BTreeMap::new()),
    };
    let (mut bounds, mut more_policies) = (parse_lists(BOUNDS)?, parse_lists(MORE_POLICIES)?);
    let rules = earlier::policy_rules(text, &body);
    let mut is_earlier_form = false;
    let hosts = parse_entries(text, paths, |name, value| {
        let Expression::Object(object) = value else {
            return None;
        };
        if let Some(paths) = earlier::parse_paths(object) {
            is_earlier_form = true;
            return earlier::apply_rules(rules.as_deref()?, name, &paths);
        }
        parse_entries(text, object, |_, value| hcl::literal_strings(value)).ok()
    })?;
    let hosts = hosts.into_iter().map(|(name, paths)| GeneratedHost {
        bound_cidrs: bounds.remove(&name).unwrap_or_default(),
        more_policies: more_policies.remove(&name).unwrap_or_default(),
        name,
        paths,
    });
    Ok(GeneratedFile {
        hosts: hosts.collect(),
        backend: role_backend(text, &body).unwrap_or_else(|| BACKEND.to_owned()),
        is_earlier_form,
    })
}

/// Returns the expression for the mount of the roles.
fn role_backend(source: &str, body: &Body) -> Option<String> {
    let role = body.blocks().find(|block| block.has_exact_labels(&ROLES))?;
    let backend = role.body.get_attribute("backend")?.value.span()?;
    Some(source[backend].trim().to_owned())
}

/// Checks that every part is a generated one, and returns the `locals` block.
fn check_parts<'a>(source: &str, body: &'a Body) -> Result<&'a Block, Error> {
    let is_ours = |structure: &Structure| match structure {
        Structure::Block(block) => block.has_ident("locals") || is_generated(block),
        Structure::Attribute(_) => false,
    };
    if !body.iter().any(is_ours) {
        let problem = "this file was not written by create-host";
        return Err(not_generated(source, 0, problem, OTHER_FILE));
    }
    let mut locals = None;
    for structure in body {
        match structure {
            Structure::Block(block) if block.has_ident("locals") && locals.is_none() => {
                locals = Some(block);
            }
            Structure::Block(block) if is_generated(block) => {}
            _ => {
                let start = structure.span().map_or(0, |range| range.start);
                let problem = "this was not written by create-host";
                return Err(not_generated(source, start, problem, MOVE));
            }
        }
    }
    let block =
        locals.ok_or_else(|| not_generated(source, 0, "there is no `locals` block", WRITE_OUT))?;
    let ours = [PATHS, BOUNDS, MORE_POLICIES];
    let other = |attribute: &&Attribute| !ours.contains(&attribute.key.as_str());
    match block.body.attributes().find(other) {
        Some(attribute) => {
            let start = attribute.span().map_or(0, |range| range.start);
            let problem = format!(
                "`{}` was not written by create-host",
                attribute.key.as_str()
            );
            Err(not_generated(source, start, &problem, MOVE))
        }
        None => Ok(block),
    }
}

fn is_generated(block: &Block) -> bool {
    block.has_ident("resource")
        && (block.has_exact_labels(&POLICIES) || block.has_exact_labels(&ROLES))
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
    mut parse_value: impl FnMut(&str, &Expression) -> Option<T>,
) -> Result<BTreeMap<String, T>, Error> {
    object
        .iter()
        .map(|(key, item)| {
            let start = key.span().map_or(0, |range| range.start);
            let name = hcl::key_name(key);
            let value = name
                .as_deref()
                .and_then(|name| parse_value(name, item.expr()));
            name.zip(value).ok_or_else(|| {
                let problem = "this entry was not written by create-host";
                not_generated(source, start, problem, WRITE_OUT)
            })
        })
        .collect()
}

fn not_generated(source: &str, offset: usize, problem: &str, remedy: &'static str) -> Error {
    Error::NotGenerated {
        problem: problem.to_owned(),
        position: Position::at(source, offset),
        remedy,
    }
}
