//! The uses of secrets that move through variables.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::references::{Moving, describe_use, read_reference};
use super::syntax::{cast, entry_attributes, names_of, node_range, untyped};
use crate::tool::Tool;

/// A variable that has options of a tool.
pub(super) struct Alias {
    pub(super) name: String,
    tool: Tool,
    names: Vec<Option<String>>,
    /// The `let`, set or `with` in which it is known.
    scope: SyntaxNode,
}

impl Alias {
    /// Returns whether the variable is `config.sops.placeholder` at a node.
    pub(super) fn is_placeholder_at(&self, node: &SyntaxNode) -> bool {
        matches!(self.names.as_slice(), [Some(name)] if name == "placeholder")
            && node.ancestors().any(|around| around == self.scope)
    }
}

/// Finds the uses of secrets and templates that move through other names.
pub(super) fn find_aliased_uses(root: &SyntaxNode, moving: &Moving<'_>) -> Vec<(usize, String)> {
    let aliases = find_aliases(root, &names_that_move(moving));
    let mut found = Vec::new();
    for node in root.descendants() {
        let select = cast::<ast::Select>(&node);
        let base = select.as_ref().and_then(ast::Select::expr);
        let variable = match (&select, base) {
            (Some(_), Some(ast::Expr::Ident(variable))) => variable.to_string(),
            (None, _) if is_variable(&node) => node.to_string(),
            _ => continue,
        };
        let path = select.and_then(|select| select.attrpath());
        let attributes: Vec<_> = path.iter().flat_map(ast::Attrpath::attrs).collect();
        for alias in aliases.iter().filter(|alias| alias.name == variable) {
            let is_known = node.ancestors().any(|around| around == alias.scope);
            let names = [&alias.names[..], &names_of(&attributes)].concat();
            if is_known && names.len() > 1 {
                let reason = describe_use(alias.tool, &names, moving);
                let reason = reason.map(|reason| format!("{reason}, through a variable"));
                found.extend(reason.map(|reason| (node_range(&node).start, reason)));
            }
        }
    }
    found
}

fn is_variable(node: &SyntaxNode) -> bool {
    let named = [
        SyntaxKind::NODE_ATTRPATH,
        SyntaxKind::NODE_INHERIT,
        SyntaxKind::NODE_SELECT,
    ];
    node.kind() == SyntaxKind::NODE_IDENT
        && node
            .parent()
            .is_some_and(|around| !named.contains(&around.kind()))
}

/// Finds the variables of a file. `with` makes those of `names` from a set of secrets.
pub(super) fn find_aliases(root: &SyntaxNode, names: &[String]) -> Vec<Alias> {
    let selects = root
        .descendants()
        .filter_map(|node| cast::<ast::Select>(&node));
    selects
        .flat_map(|select| aliases_of(&select, names).unwrap_or_default())
        .collect()
}

/// Returns the variables that a use of a tool's options defines.
fn aliases_of(select: &ast::Select, moving: &[String]) -> Option<Vec<Alias>> {
    let reference = read_reference(select)?;
    let node = untyped(select);
    let around = node.parent()?;
    let alias = |name: String, names: Vec<Option<String>>, scope: &SyntaxNode| Alias {
        name,
        tool: reference.tool,
        names,
        scope: scope.clone(),
    };
    let with_name = |name: &str| [&reference.names[..], &[Some(name.to_owned())]].concat();
    if let Some(entry) = cast::<ast::AttrpathValue>(&around) {
        if reference.names.len() > 2 {
            return None; // an attribute, such as a path
        }
        let [Some(name)] = &names_of(&entry_attributes(&entry))[..] else {
            return None;
        };
        let scope = around.parent()?;
        return Some(vec![alias(name.clone(), reference.names.clone(), &scope)]);
    }
    if let Some(with) = cast::<ast::With>(&around) {
        let inside = names_inside(&reference.names, moving);
        let is_namespace = with.namespace().is_some_and(|one| untyped(&one) == node);
        let aliases = inside
            .iter()
            .map(|name| alias(name.clone(), with_name(name), &around));
        return is_namespace.then(|| aliases.collect());
    }
    let inherit = cast::<ast::Inherit>(&around.parent()?)?;
    let scope = untyped(&inherit).parent()?;
    let inherited: Vec<_> = inherit.attrs().collect();
    let inherited = names_of(&inherited).into_iter().flatten();
    let aliases = inherited.map(|name| alias(name.clone(), with_name(&name), &scope));
    Some(aliases.collect())
}

/// Returns the names that `with` brings into scope.
fn names_inside(names: &[Option<String>], moving: &[String]) -> Vec<String> {
    if names.is_empty() {
        return ["secrets", "templates", "placeholder"]
            .map(str::to_owned)
            .to_vec();
    }
    moving.to_vec()
}

fn names_that_move(moving: &Moving<'_>) -> Vec<String> {
    moving
        .moves
        .iter()
        .map(|one| one.old.clone())
        .chain(moving.templates.iter().cloned())
        .collect()
}
