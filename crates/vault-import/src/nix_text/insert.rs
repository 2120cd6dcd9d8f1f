//! The new declarations beside the old ones.

use rnix::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::bindings::adapt_bindings;
use super::definitions::{Definition, Definitions, find_definitions};
use super::layout::{apply_edits, insert_behind};
use super::model::{Left, Move};
use super::own::list_own;
use super::shape::{Condition, conditions_around};
use super::syntax::{SyntaxError, left_at, node_range, parse_source};
use super::templates::copy_templates;

/// A file with new declarations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub(crate) text: String,
    /// False if the file declares none of the secrets that move, so the bindings are not in it.
    pub(crate) has_bindings: bool,
    /// The names of the templates that have a copy, also those that had one before.
    pub(crate) templates: Vec<String>,
    /// The parts that the new declarations lack.
    pub(crate) left: Vec<Left>,
}

/// Inserts bindings behind the first declarations of secrets that move, and copies of the templates
/// all of whose secrets move.
///
/// # Errors
/// The source, the bindings or the result are not valid Nix.
pub(crate) fn insert(
    source: &str,
    moves: &[Move],
    bindings: &str,
) -> Result<Inserted, SyntaxError> {
    let root = parse_source(source)?;
    let definitions = find_definitions(&root);
    let mut left = problems_of_names(source, &definitions, moves);
    let mut edits = Vec::new();
    let site = choose_site(&definitions, moves).filter(|_| !bindings.trim().is_empty());
    if let Some((site, anchor)) = site {
        left.extend(differing_conditions(source, &definitions, moves, site));
        let bindings = adapt_bindings(bindings, site)?;
        let last = last_of_run(anchor, &definitions, moves);
        edits.push(insert_behind(source, &last, &bindings));
    }
    let copies = copy_templates(source, &definitions, moves, &list_own(&root).templates);
    for (anchor, text) in &copies.texts {
        edits.push(insert_behind(source, anchor, text));
    }
    left.extend(copies.left);
    left.sort();
    let text = apply_edits(source, edits);
    parse_source(&text)?;
    Ok(Inserted {
        text,
        has_bindings: site.is_some(),
        templates: copies.names,
        left,
    })
}

/// Returns the move of a definition's secret, if its names are valid.
pub(super) fn move_of<'a>(definition: &Definition, moves: &'a [Move]) -> Option<&'a Move> {
    let name = definition.name_in("secrets")?;
    moves
        .iter()
        .find(|one| one.tool == definition.tool && one.old == name && one.problem().is_none())
}

/// Reports the secrets of a file whose new names are not valid.
pub(super) fn problems_of_names(
    source: &str,
    definitions: &Definitions,
    moves: &[Move],
) -> Vec<Left> {
    let problem = |one: &Move| {
        let reason = one.problem()?;
        let mut all = definitions.all.iter();
        let declared = all.find(|definition| {
            definition.tool == one.tool && definition.name_in("secrets") == Some(&one.old)
        })?;
        Some(left_at(source, declared.offset(), reason))
    };
    moves.iter().filter_map(problem).collect()
}

/// Returns the definition of a secret that moves with the fewest conditions; of several the first.
fn choose_site<'a>(
    definitions: &'a Definitions,
    moves: &[Move],
) -> Option<(&'a Definition, &'a SyntaxNode)> {
    let sites = definitions
        .all
        .iter()
        .filter(|definition| move_of(definition, moves).is_some());
    let site = sites.min_by_key(|site| all_conditions(site).len())?;
    Some((site, site.anchor()?))
}

/// Returns the conditions of a declaration, also those around it.
fn all_conditions(definition: &Definition) -> Vec<Condition> {
    let around = definition.anchor().map(conditions_around);
    let inside = definition.conditions.iter();
    let inside = inside.filter(|(_, depth)| *depth <= 2);
    let mut all = around.unwrap_or_default();
    all.extend(inside.map(|(condition, _)| condition.clone()));
    all
}

/// Reports secrets whose conditions are not those of the place for the new declarations.
fn differing_conditions(
    source: &str,
    definitions: &Definitions,
    moves: &[Move],
    site: &Definition,
) -> Vec<Left> {
    let expected = all_conditions(site);
    let mut left = Vec::new();
    for definition in &definitions.all {
        if move_of(definition, moves).is_none() {
            continue;
        }
        let conditions = all_conditions(definition);
        let is_branch = |(condition, _): &(Condition, usize)| *condition == Condition::Branch;
        let reason = if definition.conditions.iter().any(is_branch) {
            "it depends on an `if`, and the new declaration does not"
        } else if conditions != expected {
            "it depends on other conditions than the new declaration"
        } else {
            continue;
        };
        let entry = definition.entry_reaching(2);
        let offset = entry.map_or(definition.offset(), |entry| node_range(entry).start);
        let report = left_at(source, offset, reason);
        if !left.contains(&report) {
            left.push(report);
        }
    }
    left
}

/// Returns the last of the entries with secrets that move and that follow each other.
fn last_of_run(anchor: &SyntaxNode, definitions: &Definitions, moves: &[Move]) -> SyntaxNode {
    let is_moving = |entry: &SyntaxNode| {
        definitions.all.iter().any(|definition| {
            definition.anchor() == Some(entry) && move_of(definition, moves).is_some()
        })
    };
    let mut last = anchor.clone();
    while let Some(next) = last.next_sibling() {
        let between = last.next_sibling_or_token();
        let is_next = between.as_ref().is_some_and(|between| {
            between.kind() == SyntaxKind::TOKEN_WHITESPACE
                && between.to_string().matches('\n').count() < 2
                && between
                    .as_token()
                    .and_then(SyntaxToken::next_sibling_or_token)
                    == Some(next.clone().into())
        });
        if !is_next || !is_moving(&next) {
            break;
        }
        last = next;
    }
    last
}
