//! The templates of sops-nix that get a copy.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::content::{Placeholder, Replacements, find_placeholders};
use super::copy::copy_unit;
use super::definitions::{Content, Definition, Definitions};
use super::layout::{indent_of, move_lines};
use super::model::{Left, Move, is_unit_name};
use super::syntax::{cast, left_at, node_range};
use crate::tool::Tool;

/// The copies of the templates of a file.
#[derive(Default)]
pub(super) struct Copies {
    pub(super) names: Vec<String>,
    /// Each copied entry, without indentation, with the entry behind which it is inserted.
    pub(super) texts: Vec<(SyntaxNode, String)>,
    pub(super) left: Vec<Left>,
}

/// A template of a file.
pub(super) struct Template<'a> {
    pub(super) name: &'a str,
    pub(super) definitions: Vec<&'a Definition>,
}

impl Template<'_> {
    /// Returns the start of the first entry.
    fn start(&self) -> usize {
        let first = self.definitions.first();
        first.map_or(0, |first| match first.entry_reaching(2) {
            Some(entry) => node_range(entry).start,
            None => first.offset(),
        })
    }

    /// Returns the outermost entries that belong to the template alone.
    pub(super) fn units(&self) -> Vec<SyntaxNode> {
        let mut units: Vec<SyntaxNode> = Vec::new();
        for definition in &self.definitions {
            units.extend(
                definition
                    .entry_reaching(2)
                    .filter(|entry| !units.contains(entry))
                    .cloned(),
            );
        }
        units
    }
}

/// Returns the templates of a file, in the order of their first definitions.
pub(super) fn list_templates(definitions: &Definitions) -> Vec<Template<'_>> {
    let mut templates: Vec<Template<'_>> = Vec::new();
    for definition in &definitions.all {
        let Some(name) = definition.name_in("templates") else {
            continue;
        };
        if definition.tool != Tool::SopsNix {
            continue;
        }
        match templates.iter_mut().find(|template| template.name == name) {
            Some(template) => template.definitions.push(definition),
            None => templates.push(Template {
                name,
                definitions: vec![definition],
            }),
        }
    }
    templates
}

/// Copies each template all of whose secrets move, if it is none of these, which have a copy.
pub(super) fn copy_templates(
    source: &str,
    definitions: &Definitions,
    moves: &[Move],
    existing: &[String],
) -> Copies {
    let replacements = replacements(moves);
    let mut copies = Copies::default();
    for template in list_templates(definitions) {
        if existing.iter().any(|name| name == template.name) {
            copies.names.push(template.name.to_owned());
            continue;
        }
        match check_template(source, &template, moves, &replacements) {
            Check::Copy => copy_template(source, &template, &replacements, &mut copies),
            Check::Skip => {}
            Check::Report(offset, reason) => copies.left.push(left_at(source, offset, reason)),
        }
    }
    copies
}

fn copy_template(
    source: &str,
    template: &Template<'_>,
    replacements: &Replacements,
    copies: &mut Copies,
) {
    copies.names.push(template.name.to_owned());
    let last = last_anchor(template);
    for unit in template.units() {
        let of_unit: Vec<&Definition> = template
            .definitions
            .iter()
            .copied()
            .filter(|definition| definition.entry_reaching(2) == Some(&unit))
            .collect();
        let own = of_unit.first().and_then(|first| first.anchor());
        let Some(anchor) = last.or(own) else {
            continue;
        };
        let copy = copy_unit(source, &unit, &of_unit, replacements, &mut copies.left);
        if let Some(copy) = copy {
            let indent = indent_of(source, node_range(&unit).start);
            let text = move_lines(&copy, indent, "");
            add_text(&mut copies.texts, anchor, text);
        }
    }
}

fn add_text(texts: &mut Vec<(SyntaxNode, String)>, anchor: &SyntaxNode, text: String) {
    match texts.iter_mut().find(|(one, _)| one == anchor) {
        Some((_, all)) => *all = format!("{all}\n{text}"),
        None => texts.push((anchor.clone(), text)),
    }
}

/// Returns the last of the first entries of a template's definitions, if one set has them all.
fn last_anchor<'a>(template: &Template<'a>) -> Option<&'a SyntaxNode> {
    let anchors = template.definitions.iter().filter_map(|one| one.anchor());
    let anchors: Vec<&SyntaxNode> = anchors.collect();
    let last = *anchors.last()?;
    let is_beside = |anchor: &&SyntaxNode| anchor.parent() == last.parent();
    anchors.iter().all(is_beside).then_some(last)
}

/// The placeholders of all secrets that move, and that a placeholder can name.
fn replacements(moves: &[Move]) -> Replacements {
    let of_sops = moves
        .iter()
        .filter(|one| one.tool == Tool::SopsNix && placeholder_problem(one, moves).is_none());
    of_sops
        .map(|one| {
            (
                one.old.clone(),
                format!("{{{{ {}.{} }}}}", one.secret, one.file),
            )
        })
        .collect()
}

/// Returns the reason for which no placeholder can name the file of a secret.
fn placeholder_problem(one: &Move, moves: &[Move]) -> Option<String> {
    let Move { secret, file, .. } = one;
    let key = format!("{secret}.{file}");
    let is_writable = !file.contains(['{', '}', '|'])
        && !file.starts_with('"')
        && file.trim_end() == file
        && !file.contains("''");
    if !is_writable {
        return Some(format!("a placeholder cannot name the file `{file}`"));
    }
    let mut longer = moves.iter().filter(|other| {
        other.secret.len() > secret.len() && key.starts_with(&format!("{}.", other.secret))
    });
    if let Some(other) = longer.next() {
        return Some(format!(
            "`{{{{ {key} }}}}` would be a file of `{}`",
            other.secret
        ));
    }
    one.problem()
}

enum Check {
    Copy,
    /// No secret of the template moves.
    Skip,
    Report(usize, String),
}

fn check_template(
    source: &str,
    template: &Template<'_>,
    moves: &[Move],
    replacements: &Replacements,
) -> Check {
    let units = template.units();
    let start = template.start();
    let placeholders: Vec<Placeholder> = units.iter().flat_map(find_placeholders).collect();
    let find_move = |name: &str| {
        let mut moves = moves.iter();
        moves.find(|one| one.tool == Tool::SopsNix && one.old == name)
    };
    let (mut is_moving, mut staying) = (false, None);
    for placeholder in &placeholders {
        let Some(name) = &placeholder.secret else {
            let reason = "a placeholder of this template cannot be read, so it has no copy";
            return Check::Report(placeholder.range.start, reason.to_owned());
        };
        match find_move(name) {
            Some(one) if !replacements.contains_key(name) => {
                let reason = placeholder_problem(one, moves).unwrap_or_default();
                return Check::Report(placeholder.range.start, reason);
            }
            Some(_) => is_moving = true,
            None => staying = Some(name),
        }
    }
    if let (Some(name), true) = (staying, is_moving) {
        let reason = format!("the template has no copy, because `{name}` does not move");
        return Check::Report(start, reason);
    }
    if staying.is_some() {
        return Check::Skip;
    }
    match obstacle(source, template, &units, is_moving) {
        Some((offset, reason)) => Check::Report(offset.unwrap_or(start), reason),
        None => Check::Copy,
    }
}

/// Returns whether the entries of a template are in one set without conditions.
fn is_in_one_set(template: &Template<'_>, units: &[SyntaxNode]) -> bool {
    let parent = units.first().and_then(SyntaxNode::parent);
    let mut conditions = template.definitions.iter().flat_map(|one| &one.conditions);
    units.iter().all(|unit| unit.parent() == parent) && !conditions.any(|(_, depth)| *depth < 2)
}

/// Returns whether the copy of a definition can be read as it is.
fn can_be_copied(definition: &Definition) -> bool {
    let attribute = definition.names.get(2).map(String::as_str);
    match &definition.content {
        Content::Value(_) => attribute.is_some(),
        Content::Inherited(_) => matches!(attribute, Some("owner" | "group" | "mode")),
        Content::Computed(_) => false,
        Content::EmptySet => true,
    }
}

/// Returns the place of a template, if it has one of its own, and the reason why it has no copy.
fn obstacle(
    source: &str,
    template: &Template<'_>,
    units: &[SyntaxNode],
    is_moving: bool,
) -> Option<(Option<usize>, String)> {
    let name = template.name;
    let mut definitions = template.definitions.iter();
    let unread = definitions.find(|definition| !can_be_copied(definition));
    if let Some(unread) = unread {
        let reason = "this part of a template cannot be read, so the template has no copy";
        return Some((Some(unread.offset()), reason.to_owned()));
    }
    if units.iter().any(|unit| has_scope_around(template, unit)) {
        let reason = "variables of the template may be defined around it, so it has no copy";
        return Some((None, reason.to_owned()));
    }
    if units.len() > 1 && !is_in_one_set(template, units) {
        let reason = "the template is in several places, or under conditions, so it has no copy";
        return Some((None, reason.to_owned()));
    }
    if !is_moving {
        let reason = format!("no placeholder of `{name}` can be read, so it has no copy");
        return Some((None, reason));
    }
    if !is_unit_name(name) {
        let reason = format!(
            "`{name}` cannot be the name of a template: letters, digits, `_`, `.` and `-` only, a \
             letter or digit first"
        );
        return Some((None, reason));
    }
    let escape = units.iter().find_map(|unit| {
        let range = node_range(unit);
        let at = source[range.clone()].find("\\{")?;
        Some(range.start + at)
    });
    let reason = "the template has no copy, because of the escaped brace";
    escape.map(|offset| (Some(offset), reason.to_owned()))
}

/// Returns whether a `let`, `with` or `rec` between a unit and the first entry of its definition
/// may define variables.
fn has_scope_around(template: &Template<'_>, unit: &SyntaxNode) -> bool {
    let anchors = template.definitions.iter().filter_map(|one| one.anchor());
    let anchors: Vec<&SyntaxNode> = anchors.collect();
    if anchors.contains(&unit) {
        return false;
    }
    let mut around = unit
        .ancestors()
        .skip(1)
        .take_while(|node| !anchors.contains(&node));
    around.any(|node| match node.kind() {
        SyntaxKind::NODE_LET_IN | SyntaxKind::NODE_WITH => true,
        _ => cast::<ast::AttrSet>(&node).is_some_and(|set| set.rec_token().is_some()),
    })
}
