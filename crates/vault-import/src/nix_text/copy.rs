//! The copy of one entry of a template.

use rnix::SyntaxNode;
use rnix::ast;

use super::bindings::{conditional, conditions_before, path_prefix};
use super::content::{Replacements, escape_braces, replace_placeholders};
use super::definitions::{Content, Definition};
use super::layout::{Edit, apply_edits};
use super::model::Left;
use super::removal::remove_entries;
use super::syntax::{
    cast, entry_attributes, entry_of_set, escape_string, left_at, literal_string, node_range,
    untyped,
};

/// The suffixes of units that are no services.
const OTHER_UNITS: [&str; 8] = [
    ".automount",
    ".mount",
    ".path",
    ".slice",
    ".socket",
    ".swap",
    ".target",
    ".timer",
];

/// Returns the copy of an entry, which has these definitions of one template; `None` if nothing of
/// it stays.
pub(super) fn copy_unit(
    source: &str,
    unit: &SyntaxNode,
    definitions: &[&Definition],
    replacements: &Replacements,
    left: &mut Vec<Left>,
) -> Option<String> {
    let mut edits = rename_template(unit, definitions.first()?)?;
    let dropped = convert_attributes(source, definitions, &mut edits, left);
    left.extend(lost_group(source, definitions));
    if dropped.contains(unit) {
        return None;
    }
    let removed: Vec<_> = dropped
        .into_iter()
        .map(|entry| (entry, String::new()))
        .collect();
    let mut edits = [remove_entries(source, &removed), edits].concat();
    edits.extend(escape_braces(unit));
    edits.extend(replace_placeholders(unit, replacements));
    Some(apply_within(source, unit, edits))
}

/// Adds the edits of all attributes, and returns the entries that the copy lacks.
fn convert_attributes(
    source: &str,
    definitions: &[&Definition],
    edits: &mut Vec<Edit>,
    left: &mut Vec<Left>,
) -> Vec<SyntaxNode> {
    let mut dropped: Vec<SyntaxNode> = Vec::new();
    let mut seen: Vec<&SyntaxNode> = Vec::new();
    for definition in definitions {
        let Some(entry) = definition.entry_reaching(3) else {
            continue;
        };
        if seen.contains(&entry) {
            continue;
        }
        seen.push(entry);
        let report = |reason: String| left_at(source, node_range(entry).start, reason);
        match convert_attribute(definition, entry) {
            Attribute::Kept(changes, note) => {
                edits.extend(changes);
                left.extend(note.map(report));
            }
            Attribute::Dropped(reason) => {
                left.push(report(reason));
                dropped.push(entry.clone());
            }
        }
    }
    dropped
}

/// Returns a node's text with edits inside of it.
fn apply_within(source: &str, node: &SyntaxNode, edits: Vec<Edit>) -> String {
    let range = node_range(node);
    let moved = edits.into_iter().map(|edit| Edit {
        range: edit.range.start - range.start..edit.range.end - range.start,
        text: edit.text,
    });
    apply_edits(&source[range.clone()], moved.collect())
}

/// Returns the edits of an entry's path, with the conditions around it.
fn rename_template(unit: &SyntaxNode, definition: &Definition) -> Option<Vec<Edit>> {
    let entry = entry_of_set(unit)?;
    let name = attribute_at(unit, definition, 1)?;
    let conditions: Vec<_> = definition
        .conditions
        .iter()
        .filter(|(_, depth)| *depth < 2)
        .map(|(condition, _)| condition)
        .collect();
    let value = entry.value()?;
    let start = node_range(&untyped(&value)).start;
    let end = node_range(&untyped(&value)).end;
    let insertion = |at: usize, text: String| Edit {
        range: at..at,
        text,
    };
    let path = Edit {
        range: node_range(unit).start..node_range(&name).start,
        text: format!("{}vault.templates.", path_prefix(definition)),
    };
    // a condition of an attribute would not be one of the template
    if let Some(attribute) = attribute_at(unit, definition, 2).filter(|_| !conditions.is_empty()) {
        let (before, after) = conditions_before(&conditions, true);
        let opening = Edit {
            range: node_range(&name).end..node_range(&attribute).start,
            text: format!(" = {before}{{ "),
        };
        return Some(vec![path, opening, insertion(end, format!("; }}{after}"))]);
    }
    let (before, after) = conditional(&value, &conditions);
    Some(vec![path, insertion(start, before), insertion(end, after)])
}

/// Returns the attribute of an entry's path that is this name of a definition.
fn attribute_at(entry: &SyntaxNode, definition: &Definition, index: usize) -> Option<SyntaxNode> {
    let mut levels = definition.entries.iter();
    let level = levels.find(|level| level.entry == *entry)?;
    let attributes = entry_attributes(&entry_of_set(entry)?);
    let from_end = level.reached.checked_sub(index)?;
    let at = attributes.len().checked_sub(from_end)?;
    attributes.get(at).map(untyped)
}

/// An attribute in the copy.
enum Attribute {
    /// With changes, and maybe a note.
    Kept(Vec<Edit>, Option<String>),
    /// Absent for a reason.
    Dropped(String),
}

fn convert_attribute(definition: &Definition, entry: &SyntaxNode) -> Attribute {
    let name = definition.names.get(2).map_or("", String::as_str);
    let rename = |text: &str| {
        attribute_at(entry, definition, 2).map(|node| Edit {
            range: node_range(&node),
            text: text.to_owned(),
        })
    };
    match name {
        "content" | "owner" | "group" | "mode" => Attribute::Kept(Vec::new(), None),
        "file" => {
            let note = matches!(&definition.content, Content::Value(value) if !is_path(value))
                .then(|| "`source` is read at evaluation, so Nix builds this file then".to_owned());
            Attribute::Kept(rename("source").into_iter().collect(), note)
        }
        "restartUnits" => match service_names(definition) {
            Some(mut edits) => {
                edits.extend(rename("services"));
                Attribute::Kept(edits, None)
            }
            None => Attribute::Dropped("set `services` of the copy".to_owned()),
        },
        "reloadUnits" => Attribute::Dropped(
            "set `services` of the copy, and `onChange = \"reload\"` of its secrets".to_owned(),
        ),
        "path" => Attribute::Dropped(
            "the copy has another path: `outputDir`, a directory of its own, and `file` set it"
                .to_owned(),
        ),
        "name" => Attribute::Dropped("set `file` of the copy".to_owned()),
        name => Attribute::Dropped(format!("the copy has no `{name}`")),
    }
}

fn is_path(value: &ast::Expr) -> bool {
    matches!(
        value,
        ast::Expr::PathAbs(_) | ast::Expr::PathRel(_) | ast::Expr::PathHome(_)
    )
}

/// Returns the edits that make names of services of a list of units, if it is one.
fn service_names(definition: &Definition) -> Option<Vec<Edit>> {
    let Content::Value(ast::Expr::List(list)) = &definition.content else {
        return None;
    };
    let name = |item: ast::Expr| {
        let node = untyped(&item);
        let text = literal_string(&cast::<ast::Str>(&node)?)?;
        if OTHER_UNITS.iter().any(|suffix| text.ends_with(suffix)) {
            return None;
        }
        let name = text.strip_suffix(".service").unwrap_or(&text);
        Some(Edit {
            range: node_range(&node),
            text: format!("\"{}\"", escape_string(name)),
        })
    };
    list.items().map(name).collect()
}

/// Reports a file that its group may use, if the group is that of the owner.
fn lost_group(source: &str, definitions: &[&Definition]) -> Option<Left> {
    let find = |name: &str| {
        let mut all = definitions.iter();
        all.find(|definition| definition.names.get(2).is_some_and(|one| one == name))
    };
    let (owner, mode) = (find("owner")?, find("mode")?);
    let literal = match &mode.content {
        Content::Value(ast::Expr::Str(string)) => literal_string(string),
        _ => None,
    };
    let of_group = literal
        .as_deref()
        .and_then(|mode| mode.chars().rev().nth(1));
    let is_open = of_group != Some('0') && find("group").is_none();
    let reason = "its group is the owner's in sops-nix, and root in the copy: set `group`";
    is_open.then(|| left_at(source, owner.offset(), reason))
}
