//! The uses of secrets that move, and their new paths.

use std::ops::Range;

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::definitions::foreign_option;
use super::layout::Edit;
use super::references::{Moving, Reference, describe_use, read_reference};
use super::syntax::{
    cast, entry_attributes, entry_of_set, escape_string, names_of, node_range, untyped,
};
use crate::model::attribute_name;
use crate::tool::Tool;

/// The treatment of a use.
pub(super) enum Treatment {
    Edit(Edit),
    Report(String),
}

/// Finds the uses of secrets and templates that move, with their places.
pub(super) fn find_uses(root: &SyntaxNode, moving: &Moving<'_>) -> Vec<(usize, Treatment)> {
    let selects = root
        .descendants()
        .filter_map(|node| cast::<ast::Select>(&node));
    let uses = selects.filter_map(|select| {
        let reference = read_reference(&select)?;
        let treatment = treat_reference(&select, &reference, moving)?;
        Some((node_range(&untyped(&select)).start, treatment))
    });
    uses.collect()
}

/// Lists the secrets whose files are read before the network is up: passwords of users, and secrets
/// of the initrd.
pub(super) fn early_secrets(root: &SyntaxNode) -> Vec<(Tool, String)> {
    let selects = root
        .descendants()
        .filter_map(|node| cast::<ast::Select>(&node));
    let early = selects.filter_map(|select| {
        let reference = read_reference(&select)?;
        let is_secret = reference.names.first()?.as_deref() == Some("secrets");
        let name = reference.names.get(1)?.clone()?;
        (is_secret && is_early(&untyped(&select))).then_some((reference.tool, name))
    });
    early.collect()
}

/// Returns whether a node is in the value of an option that is read before the network is up. A
/// service can have an option of that name, too.
fn is_early(node: &SyntaxNode) -> bool {
    let entries = node.ancestors().filter_map(|around| entry_of_set(&around));
    let names: Vec<_> = entries
        .flat_map(|entry| names_of(&entry_attributes(&entry)))
        .flatten()
        .collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let is_password = has("hashedPasswordFile") || has("passwordFile");
    has("initrd") || is_password && has("users") && !has("services")
}

fn treat_reference(
    select: &ast::Select,
    reference: &Reference,
    moving: &Moving<'_>,
) -> Option<Treatment> {
    let node = untyped(select);
    let around = node.parent()?;
    let report = |reason: String| Some(Treatment::Report(reason));
    let all = with_names_around(&node, &around, &reference.names);
    if all.len() > 1 || all.first() != Some(&reference.names) {
        let mut reasons = all
            .iter()
            .filter_map(|names| describe_use(reference.tool, names, moving));
        let reason = reasons.next()?;
        return report(match around.kind() {
            SyntaxKind::NODE_HAS_ATTR => format!("{reason}, tested with `?`"),
            _ => format!("{reason}, inherited"),
        });
    }
    let reason = describe_use(reference.tool, &reference.names, moving)?;
    let Some(path) = new_path(reference, moving) else {
        return report(reason);
    };
    if is_early(&node) {
        return report(format!("{reason}, before the network is up"));
    }
    if !reference.is_of_config {
        return report(match reference.prefix.as_str() {
            "" => format!("{reason}, through a variable"),
            prefix => format!("{reason} of `{prefix}`, which may be another configuration"),
        });
    }
    if select.default_expr().is_some() {
        return report(format!("{reason} with a default"));
    }
    if let Some(option) = option_with_config(&node, &reference.prefix) {
        return report(format!("`config` may be that of `{option}` here"));
    }
    Some(Treatment::Edit(path.edit(&node)))
}

/// Returns the option whose module has a `config` of its own, if a use is in one.
fn option_with_config(node: &SyntaxNode, prefix: &str) -> Option<String> {
    let lambda = node.ancestors().find(|around| {
        let parameter = cast::<ast::Lambda>(around).and_then(|lambda| lambda.param());
        let names = parameter.map_or(String::new(), |parameter| untyped(&parameter).to_string());
        let mut words = names.split(|one: char| !one.is_alphanumeric() && one != '_');
        words.any(|word| word == "config")
    });
    foreign_option(&lambda?).filter(|_| prefix == "config")
}

/// Returns the names of a use, with those of `?` or `inherit (…)` around it.
fn with_names_around(
    node: &SyntaxNode,
    around: &SyntaxNode,
    names: &[Option<String>],
) -> Vec<Vec<Option<String>>> {
    if let Some(test) = cast::<ast::HasAttr>(around)
        && test
            .expr()
            .is_some_and(|expression| untyped(&expression) == *node)
    {
        let tested: Vec<_> = test
            .attrpath()
            .into_iter()
            .flat_map(|path| path.attrs())
            .collect();
        return vec![[names, &names_of(&tested)].concat()];
    }
    if around.kind() == SyntaxKind::NODE_INHERIT_FROM
        && let Some(inherit) = around.parent().and_then(|node| cast::<ast::Inherit>(&node))
    {
        let inherited: Vec<_> = inherit.attrs().collect();
        let inherited = names_of(&inherited).into_iter();
        return inherited.map(|name| [names, &[name]].concat()).collect();
    }
    vec![names.to_vec()]
}

/// The new path of a file.
struct NewPath {
    /// The expression of a directory, or of the file if it has no name.
    expression: String,
    file: Option<String>,
}

fn new_path(reference: &Reference, moving: &Moving<'_>) -> Option<NewPath> {
    let prefix = &reference.prefix;
    let [Some(set), Some(name), Some(attribute)] = reference.names.as_slice() else {
        return None;
    };
    match (set.as_str(), attribute.as_str()) {
        ("secrets", "path") => {
            let one = moving.find(reference.tool, name)?;
            Some(NewPath {
                expression: format!(
                    "{prefix}.vault.secrets.{}.path",
                    attribute_name(&one.secret)
                ),
                file: Some(one.file.clone()),
            })
        }
        ("templates", "path") => Some(NewPath {
            expression: format!("{prefix}.vault.templates.{}.path", attribute_name(name)),
            file: None,
        }),
        _ => None,
    }
}

impl NewPath {
    /// Returns the edit that writes the path in place of an expression.
    fn edit(self, node: &SyntaxNode) -> Edit {
        let Some(file) = self.file else {
            return edit_of(node_range(node), self.expression);
        };
        let string = format!("\"${{{}}}/{}\"", self.expression, escape_string(&file));
        let interpolation = node
            .parent()
            .filter(|around| around.kind() == SyntaxKind::NODE_INTERPOL)
            .filter(|around| {
                let outer = around.parent();
                outer.is_some_and(|outer| outer.kind() == SyntaxKind::NODE_STRING)
            });
        let is_plain = file
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.,:+@=- ".contains(&byte));
        match interpolation {
            Some(outer) if is_plain => edit_of(
                node_range(&outer),
                format!("${{{}}}/{file}", self.expression),
            ),
            _ => edit_of(node_range(node), string),
        }
    }
}

fn edit_of(range: Range<usize>, text: String) -> Edit {
    Edit { range, text }
}
