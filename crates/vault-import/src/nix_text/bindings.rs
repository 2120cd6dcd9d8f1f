//! New bindings for the set that has an old declaration.

use rnix::ast::{self, HasEntry};

use super::definitions::Definition;
use super::layout::{Edit, apply_edits, insert_behind};
use super::shape::{Condition, Shape};
use super::syntax::{
    SyntaxError, cast, entry_attributes, names_of, node_range, parse_source, untyped,
};

/// Returns the text before `sops` or `age` in the path of a definition's first entry.
pub(super) fn path_prefix(definition: &Definition) -> String {
    let text = definition.anchor().map(ToString::to_string);
    let has_config = text.is_some_and(|text| text.starts_with("config"));
    if has_config { "config." } else { "" }.to_owned()
}

/// Puts the conditions before a value.
pub(super) fn conditional(value: &ast::Expr, conditions: &[&Condition]) -> (String, String) {
    let is_simple = matches!(
        value,
        ast::Expr::AttrSet(_)
            | ast::Expr::Str(_)
            | ast::Expr::List(_)
            | ast::Expr::Paren(_)
            | ast::Expr::Ident(_)
            | ast::Expr::Select(_)
    );
    conditions_before(conditions, is_simple)
}

/// Returns the conditions before a value, and what closes them behind it; a simple value needs no
/// parentheses.
pub(super) fn conditions_before(conditions: &[&Condition], is_simple: bool) -> (String, String) {
    let calls: Vec<&String> = conditions
        .iter()
        .filter_map(|condition| match condition {
            Condition::Call(call) => Some(call),
            Condition::Branch => None,
        })
        .collect();
    let open = |calls: &[&String]| -> String {
        let opened = calls.iter().map(|call| [call, " ("].concat());
        opened.collect()
    };
    match calls.split_last() {
        Some((last, outer)) if is_simple => {
            (format!("{}{last} ", open(outer)), ")".repeat(outer.len()))
        }
        _ => (open(&calls), ")".repeat(calls.len())),
    }
}

/// Writes bindings for the set with a definition's first entry.
///
/// # Errors
/// The bindings are not valid Nix.
pub(super) fn adapt_bindings(
    bindings: &str,
    definition: &Definition,
) -> Result<String, SyntaxError> {
    let wrapped = format!("{{\n{}\n}}", bindings.trim_end());
    let root = parse_source(&wrapped)?;
    let conditions: Vec<&Condition> = definition
        .conditions
        .iter()
        .filter(|(_, depth)| *depth <= 2)
        .map(|(condition, _)| condition)
        .collect();
    let mut edits = Vec::new();
    let set = root
        .first_child()
        .and_then(|node| cast::<ast::AttrSet>(&node));
    for entry in set.iter().flat_map(HasEntry::attrpath_values) {
        let mut add = |at: usize, text: String| {
            let range = at..at;
            edits.push(Edit { range, text });
        };
        add(node_range(&untyped(&entry)).start, path_prefix(definition));
        if let Some(value) = entry.value() {
            let (before, after) = conditional(&value, &conditions);
            let range = node_range(&untyped(&value));
            add(range.start, before);
            add(range.end, after);
        }
    }
    let adapted = apply_edits(&wrapped, edits);
    let inner = adapted.strip_prefix("{\n").unwrap_or(&adapted);
    let inner = inner.strip_suffix("\n}").unwrap_or(inner);
    Ok(inner.to_owned())
}

/// Returns the edit that puts a secret's bindings into its declaration beside a definition, if that
/// is a set below a condition, to which Nix adds no attributes.
pub(super) fn add_to_existing(
    source: &str,
    bindings: &str,
    definition: &Definition,
    secret: &str,
) -> Option<Edit> {
    let set = cast::<ast::AttrSet>(&definition.anchor()?.parent()?)?;
    let path = ["vault", "secrets", secret].map(|name| Some(name.to_owned()));
    let existing = set.attrpath_values().find(|entry| {
        let names = names_of(&entry_attributes(entry));
        names == path || names.split_first().is_some_and(|(_, rest)| rest == path)
    })?;
    let inner = set_below_condition(&existing.value()?)?;
    let wrapped = format!("{{\n{}\n}}", bindings.trim_end());
    let root = parse_source(&wrapped).ok()?;
    let mut added: Vec<String> = Vec::new();
    for entry in cast::<ast::AttrSet>(&root.first_child()?)?.attrpath_values() {
        let attributes = entry_attributes(&entry);
        if names_of(&attributes).get(..3) != Some(&path[..]) {
            return None;
        }
        let start = node_range(&untyped(attributes.get(3)?)).start;
        added.push(wrapped[start..node_range(&untyped(&entry)).end].to_owned());
    }
    let added = added.join("\n");
    match inner.entries().last() {
        Some(last) => Some(insert_behind(source, &untyped(&last), &added)),
        None => Some(Edit {
            range: node_range(&untyped(&inner)),
            text: format!("{{ {added} }}"),
        }),
    }
}

/// Returns the only set of an expression that is no set itself.
fn set_below_condition(value: &ast::Expr) -> Option<ast::AttrSet> {
    let mut inner = value.clone();
    while let Shape::Parts(parts) = Shape::of(&inner) {
        let [part] = <[_; 1]>::try_from(parts).ok()?;
        inner = part.value;
    }
    match (value, inner) {
        (ast::Expr::AttrSet(_), _) => None,
        (_, ast::Expr::AttrSet(set)) => Some(set),
        _ => None,
    }
}
