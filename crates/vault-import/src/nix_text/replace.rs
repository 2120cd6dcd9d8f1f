//! The new declarations in place of the old ones.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::aliases::find_aliased_uses;
use super::bindings::{adapt_bindings, add_to_existing};
use super::definitions::{Content, Definition, Definitions, find_definitions};
use super::insert::{move_of, problems_of_names};
use super::layout::{Edit, apply_edits, insert_behind};
use super::mentions::find_mentions;
use super::model::{Left, Move};
use super::references::Moving;
use super::removal::{remove_entries, with_emptied_sets};
use super::syntax::{SyntaxError, left_at, literal_string, node_range, parse_source};
use super::templates::{Template, list_templates};
use super::uses::{Treatment, find_uses};
use crate::tool::Tool;

/// A file without the old declarations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) text: String,
    /// The parts that still use secrets or templates that move, or may use them.
    pub(crate) left: Vec<Left>,
}

/// Removes the declarations of secrets that move and of these templates, and changes the uses of
/// their paths.
///
/// # Errors
/// The source, a replacement or the result are not valid Nix.
pub(crate) fn replace(
    source: &str,
    moves: &[Move],
    templates: &[String],
) -> Result<Replaced, SyntaxError> {
    let root = parse_source(source)?;
    let definitions = find_definitions(&root);
    let concerned: Vec<&Definition> = definitions
        .all
        .iter()
        .filter(|definition| is_moved(definition, moves, templates))
        .collect();
    let mut left = problems_of_names(source, &definitions, moves);
    let kept = kept_definitions(source, &definitions, moves, templates, &concerned);
    left.extend(kept);
    let units = units(&definitions, &concerned, templates);
    let removed = with_emptied_sets(source, units, &concerned);
    let mut edits = removal_edits(source, &removed, &concerned, moves)?;
    let moving = Moving {
        moves: moves.iter().filter(|one| one.problem().is_none()).collect(),
        templates,
    };
    for (offset, treatment) in find_kept_uses(&root, &moving, &concerned, &removed) {
        match treatment {
            Treatment::Edit(edit) => edits.push(edit),
            Treatment::Report(reason) => left.push(left_at(source, offset, reason)),
        }
    }
    left.sort();
    left.dedup();
    let text = apply_edits(source, edits);
    parse_source(&text)?;
    Ok(Replaced { text, left })
}

/// Finds the uses of secrets and templates that move, in expressions and strings that stay.
fn find_kept_uses(
    root: &SyntaxNode,
    moving: &Moving<'_>,
    concerned: &[&Definition],
    removed: &[SyntaxNode],
) -> Vec<(usize, Treatment)> {
    let mut uses = find_uses(root, moving);
    let files = names_of_files(concerned);
    let others = [
        find_aliased_uses(root, moving),
        find_mentions(root, moving, &files),
    ];
    let reports = others.into_iter().flatten();
    uses.extend(reports.map(|(offset, reason)| (offset, Treatment::Report(reason))));
    let ranges: Vec<_> = removed.iter().map(node_range).collect();
    uses.retain(|(offset, _)| !ranges.iter().any(|range| range.contains(offset)));
    uses
}

/// Returns the names of files that secrets have by their attribute `name`.
fn names_of_files(concerned: &[&Definition]) -> Vec<(Tool, String)> {
    let name = |definition: &&Definition| match (definition.names.get(2), &definition.content) {
        (Some(attribute), Content::Value(ast::Expr::Str(name))) if attribute == "name" => {
            Some((definition.tool, literal_string(name)?))
        }
        _ => None,
    };
    concerned.iter().filter_map(name).collect()
}

fn is_moved(definition: &Definition, moves: &[Move], templates: &[String]) -> bool {
    move_of(definition, moves).is_some() || is_moved_template(definition, templates)
}

fn is_moved_template(definition: &Definition, templates: &[String]) -> bool {
    let name = definition.name_in("templates");
    name.is_some_and(|name| templates.iter().any(|template| template == name))
}

/// Returns the entries that declare secrets that move, and templates.
fn units(
    definitions: &Definitions,
    concerned: &[&Definition],
    templates: &[String],
) -> Vec<SyntaxNode> {
    let of_secrets = concerned
        .iter()
        .filter_map(|definition| definition.entry_reaching(2).cloned());
    let all = list_templates(definitions);
    let of_templates = all
        .iter()
        .filter(|template| templates.iter().any(|name| name == template.name))
        .flat_map(Template::units);
    let mut units: Vec<SyntaxNode> = Vec::new();
    for unit in of_secrets.chain(of_templates) {
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    units
}

/// Removes entries, and puts the replacements into the places of the first entries of their
/// secrets.
fn removal_edits(
    source: &str,
    removed: &[SyntaxNode],
    concerned: &[&Definition],
    moves: &[Move],
) -> Result<Vec<Edit>, SyntaxError> {
    let (bindings, mut edits) = place_replacements(source, concerned, moves)?;
    let text_at = |entry: &SyntaxNode| {
        let mut bindings = bindings.iter();
        let text = bindings.find(|(anchor, _)| anchor == entry);
        text.map_or(String::new(), |(_, text)| text.clone())
    };
    let entries: Vec<_> = removed
        .iter()
        .map(|entry| (entry.clone(), text_at(entry)))
        .collect();
    edits.extend(remove_entries(source, &entries));
    for (anchor, text) in &bindings {
        if !removed.contains(anchor) {
            edits.push(insert_behind(source, anchor, text));
        }
    }
    Ok(edits)
}

/// The replacements of moves: bindings by the entries whose places they take, and edits of
/// declarations that exist.
type Replacements = (Vec<(SyntaxNode, String)>, Vec<Edit>);

/// Finds the places of the replacements.
fn place_replacements(
    source: &str,
    concerned: &[&Definition],
    moves: &[Move],
) -> Result<Replacements, SyntaxError> {
    let (mut bindings, mut edits): Replacements = (Vec::new(), Vec::new());
    let mut seen: Vec<&Move> = Vec::new();
    for definition in concerned {
        let Some(one) = move_of(definition, moves).filter(|one| !seen.contains(one)) else {
            continue;
        };
        seen.push(one);
        let (Some(text), Some(anchor)) = (&one.replacement, definition.anchor()) else {
            continue;
        };
        if let Some(edit) = add_to_existing(source, text, definition, &one.secret) {
            edits.push(edit);
            continue;
        }
        let adapted = adapt_bindings(text, definition)?;
        match bindings.iter_mut().find(|(entry, _)| entry == anchor) {
            Some((_, all)) => *all = format!("{all}\n{adapted}"),
            None => bindings.push((anchor.clone(), adapted)),
        }
    }
    Ok((bindings, edits))
}

/// Reports definitions of secrets or templates that move, or may move, and cannot be removed.
fn kept_definitions(
    source: &str,
    definitions: &Definitions,
    moves: &[Move],
    templates: &[String],
    concerned: &[&Definition],
) -> Vec<Left> {
    let mut left = Vec::new();
    for definition in &definitions.all {
        let has_moves = moves.iter().any(|one| one.tool == definition.tool);
        let is_concerned = match definition.names.as_slice() {
            [] => has_moves || !templates.is_empty(),
            [option] if option == "secrets" => has_moves,
            [option] if option == "templates" => !templates.is_empty(),
            _ => false,
        };
        let reason = if is_inherited(definition, concerned) {
            Some("the declaration of a secret that moves is inherited".to_owned())
        } else {
            definition.unread_reason().filter(|_| is_concerned)
        };
        left.extend(reason.map(|reason| left_at(source, definition.offset(), reason)));
    }
    for (node, reason) in &definitions.foreign {
        let text = node.to_string();
        let is_inherit = node.kind() == SyntaxKind::NODE_INHERIT;
        if moves
            .iter()
            .any(|one| is_inherit || text.contains(&one.old))
        {
            left.push(left_at(source, node_range(node).start, reason));
        }
    }
    left
}

/// Returns whether a definition that moves is inherited as a whole.
fn is_inherited(definition: &Definition, concerned: &[&Definition]) -> bool {
    definition.entry_reaching(2).is_none()
        && concerned.iter().any(|one| std::ptr::eq(*one, definition))
}
