//! The search for hosts: follows a path of attribute names through sets, unions and variables.

use rnix::SyntaxNode;
use rnix::ast;

use super::expression::{function_text, inner_expression, mentions_name, update_operands};
use super::flake_hosts::{FlakeHosts, HostEntry, Obstacle};
use super::name::attribute_name;
use super::parse::untyped;
use super::scope::{Binding, entry_path, list_entries, resolve_variable};

/// The variables on the way to an expression, the last one first. A definition that leads to one of
/// them again is recursive.
pub(super) struct Trail<'a> {
    scope: &'a SyntaxNode,
    variable: &'a str,
    outer: Option<&'a Trail<'a>>,
}

impl Trail<'_> {
    fn contains(&self, scope: &SyntaxNode, variable: &str) -> bool {
        (self.scope == scope && self.variable == variable)
            || self
                .outer
                .is_some_and(|outer| outer.contains(scope, variable))
    }
}

type MaybeTrail<'a> = Option<&'a Trail<'a>>;

/// Finds the hosts in the set at `path` of the value of `expression`.
pub(super) fn search_expression(
    expression: &ast::Expr,
    path: &[&str],
    trail: MaybeTrail<'_>,
) -> FlakeHosts {
    let expression = inner_expression(expression);
    let here = untyped(&expression);
    if let Some((left, right)) = update_operands(&expression) {
        return search_union(&left, &right, path, trail);
    }
    match &expression {
        ast::Expr::AttrSet(_) => search_entries(&here, path, trail),
        ast::Expr::Ident(variable) => search_variable(&variable.to_string(), &here, path, trail),
        ast::Expr::Select(select) => search_selection(select, path, trail),
        ast::Expr::Apply(call) => FlakeHosts::with_obstacle(
            &here,
            path,
            format!("it is computed by `{}`", function_text(call)),
        ),
        ast::Expr::IfElse(_) => FlakeHosts::with_obstacle(&here, path, "it is chosen by an `if`"),
        _ => FlakeHosts::with_obstacle(&here, path, "it is computed, not written as a set"),
    }
}

/// Searches both sides of `//`. Above the set of hosts, the right side replaces the left one if it
/// has the path.
fn search_union(
    left: &ast::Expr,
    right: &ast::Expr,
    path: &[&str],
    trail: MaybeTrail<'_>,
) -> FlakeHosts {
    let on_right = search_expression(right, path, trail);
    let mut on_left = search_expression(left, path, trail);
    if let Some(first) = path.first() {
        let computed = !on_right.obstacles.is_empty();
        if !on_right.sets.is_empty() || (computed && mentions_name(&untyped(right), first)) {
            return on_right;
        }
        if !on_left.sets.is_empty() {
            return on_left;
        }
    }
    on_left.append(on_right);
    on_left
}

fn search_variable(
    variable: &str,
    place: &SyntaxNode,
    path: &[&str],
    trail: MaybeTrail<'_>,
) -> FlakeHosts {
    match resolve_variable(variable, place) {
        Binding::Entry(scope) if trail.is_some_and(|trail| trail.contains(&scope, variable)) => {
            FlakeHosts::with_obstacle(place, path, "it is defined by itself")
        }
        Binding::Entry(scope) => {
            let trail = Trail {
                scope: &scope,
                variable,
                outer: trail,
            };
            search_entries(&scope, &[&[variable], path].concat(), Some(&trail))
        }
        Binding::Argument => FlakeHosts::with_obstacle(
            place,
            path,
            format!("it comes from the argument `{variable}`"),
        ),
        Binding::Unknown => FlakeHosts::with_obstacle(
            place,
            path,
            format!("it comes from `{variable}`, which this file does not define"),
        ),
    }
}

/// Searches a selection such as `hosts.servers`, if the file defines `hosts`.
fn search_selection(select: &ast::Select, path: &[&str], trail: MaybeTrail<'_>) -> FlakeHosts {
    let here = untyped(select);
    let attributes = select.attrpath().into_iter().flat_map(|path| path.attrs());
    let names: Option<Vec<String>> = attributes
        .map(|attribute| attribute_name(&attribute))
        .collect();
    let set = select.expr().filter(|_| select.default_expr().is_none());
    if let (Some(set), Some(names)) = (set, names) {
        let names = names.iter().map(String::as_str).chain(path.iter().copied());
        let found = search_expression(&set, &names.collect::<Vec<_>>(), trail);
        let inside =
            |obstacle: &Obstacle| obstacle.node.ancestors().any(|ancestor| ancestor == here);
        if !found.is_empty() && !found.obstacles.iter().any(inside) {
            return found;
        }
    }
    FlakeHosts::with_obstacle(&here, path, format!("it comes from `{select}`"))
}

/// Finds the hosts in the set at `path` of a set or `let`. With an empty path, the container is
/// that set.
pub(super) fn search_entries(
    container: &SyntaxNode,
    path: &[&str],
    trail: MaybeTrail<'_>,
) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    if path.is_empty() {
        found.add_set(container, false);
    }
    for entry in list_entries(container) {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                search_entry(&entry, container, path, trail, &mut found);
            }
            ast::Entry::Inherit(inherit) => {
                search_inherit(&inherit, container, path, trail, &mut found);
            }
        }
    }
    found
}

fn search_entry(
    entry: &ast::AttrpathValue,
    container: &SyntaxNode,
    path: &[&str],
    trail: MaybeTrail<'_>,
    found: &mut FlakeHosts,
) {
    let attributes = entry_path(entry);
    let common = attributes.len().min(path.len());
    let same = attributes
        .iter()
        .zip(path)
        .all(|((name, _), wanted)| name.as_deref() == Some(*wanted));
    let Some(value) = entry.value().filter(|_| same) else {
        return;
    };
    if attributes.len() <= path.len() {
        found.append(search_expression(&value, &path[common..], trail));
        return;
    }
    if !path.is_empty() {
        found.add_set(container, true);
    }
    let (name, attribute) = attributes[common].clone();
    let Some(name) = name else { return };
    found.hosts.push(HostEntry {
        name,
        entry: untyped(entry),
        attribute,
        value: (attributes.len() == common + 1).then(|| untyped(&value)),
        container: container.clone(),
    });
}

fn search_inherit(
    inherit: &ast::Inherit,
    container: &SyntaxNode,
    path: &[&str],
    trail: MaybeTrail<'_>,
    found: &mut FlakeHosts,
) {
    for attribute in inherit.attrs() {
        let Some(name) = attribute_name(&attribute) else {
            continue;
        };
        match path {
            [] => found.hosts.push(HostEntry {
                name,
                entry: untyped(inherit),
                attribute: untyped(&attribute),
                value: None,
                container: container.clone(),
            }),
            [first, rest @ ..] if name == *first => {
                found.append(match inherit.from().and_then(|from| from.expr()) {
                    Some(from) => search_expression(&from, path, trail),
                    // Resolved outside of the set, so that a `rec` set does not find itself.
                    None => match container.parent() {
                        Some(outside) => search_variable(&name, &outside, rest, trail),
                        None => FlakeHosts::with_obstacle(
                            &untyped(inherit),
                            rest,
                            "it is inherited from nowhere",
                        ),
                    },
                });
            }
            _ => {}
        }
    }
}
