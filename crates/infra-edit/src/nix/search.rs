//! Follows a path of attribute names through sets, unions and variables to the hosts.

use rnix::SyntaxNode;
use rnix::ast;

use super::expression::{mentions, peel, update};
use super::found::{Found, Host, Obstacle};
use super::parse::node;
use super::scope::{self, Binding};
use super::{expression, name};

/// The variables that are being followed, the last one first: a definition that comes back to one goes round in circles.
pub(super) struct Trail<'a> {
    scope: &'a SyntaxNode,
    variable: &'a str,
    outer: Option<&'a Trail<'a>>,
}

impl Trail<'_> {
    fn holds(&self, scope: &SyntaxNode, variable: &str) -> bool {
        (self.scope == scope && self.variable == variable)
            || self.outer.is_some_and(|outer| outer.holds(scope, variable))
    }
}

type Trails<'a> = Option<&'a Trail<'a>>;

/// Finds the set at `path` in the value `expression`.
pub(super) fn search(expression: &ast::Expr, path: &[&str], trail: Trails<'_>) -> Found {
    let expression = peel(expression);
    let here = node(&expression);
    if let Some((left, right)) = update(&expression) {
        return search_union(&left, &right, path, trail);
    }
    match &expression {
        ast::Expr::AttrSet(_) => search_entries(&here, path, trail),
        ast::Expr::Ident(variable) => search_variable(&variable.to_string(), &here, path, trail),
        ast::Expr::Select(select) => search_selection(select, path, trail),
        ast::Expr::Apply(call) => Found::obstacle(
            &here,
            path,
            format!("it is computed by `{}`", expression::function_text(call)),
        ),
        ast::Expr::IfElse(_) => Found::obstacle(&here, path, "it is chosen by an `if`"),
        _ => Found::obstacle(&here, path, "it is computed, not written as a set"),
    }
}

/// Both sides of `//` hold hosts; but of a set further out only the right side counts, if it has the path.
fn search_union(left: &ast::Expr, right: &ast::Expr, path: &[&str], trail: Trails<'_>) -> Found {
    let on_right = search(right, path, trail);
    let mut on_left = search(left, path, trail);
    if let Some(first) = path.first() {
        let computed = !on_right.obstacles.is_empty();
        if !on_right.sites.is_empty() || (computed && mentions(&node(right), first)) {
            return on_right;
        }
        if !on_left.sites.is_empty() {
            return on_left;
        }
    }
    on_left.append(on_right);
    on_left
}

fn search_variable(variable: &str, place: &SyntaxNode, path: &[&str], trail: Trails<'_>) -> Found {
    match scope::resolve(variable, place) {
        Binding::Entry(scope) if trail.is_some_and(|trail| trail.holds(&scope, variable)) => {
            Found::obstacle(place, path, "it is defined by itself")
        }
        Binding::Entry(scope) => {
            let trail = Trail {
                scope: &scope,
                variable,
                outer: trail,
            };
            search_entries(&scope, &[&[variable], path].concat(), Some(&trail))
        }
        Binding::Argument => Found::obstacle(
            place,
            path,
            format!("it comes from the argument `{variable}`"),
        ),
        Binding::Unknown => Found::obstacle(
            place,
            path,
            format!("it comes from `{variable}`, which this file does not define"),
        ),
    }
}

/// `hosts.servers`, where the file defines `hosts`.
fn search_selection(select: &ast::Select, path: &[&str], trail: Trails<'_>) -> Found {
    let here = node(select);
    let attributes = select.attrpath().into_iter().flat_map(|path| path.attrs());
    let names: Option<Vec<String>> = attributes.map(|attribute| name::read(&attribute)).collect();
    let set = select.expr().filter(|_| select.default_expr().is_none());
    if let (Some(set), Some(names)) = (set, names) {
        let names = names.iter().map(String::as_str).chain(path.iter().copied());
        let found = search(&set, &names.collect::<Vec<_>>(), trail);
        let inside =
            |obstacle: &Obstacle| obstacle.node.ancestors().any(|ancestor| ancestor == here);
        if !found.is_empty() && !found.obstacles.iter().any(inside) {
            return found;
        }
    }
    Found::obstacle(&here, path, format!("it comes from `{select}`"))
}

/// Finds the set at `path` among the entries of a set or `let`; with an empty path, the container is that set.
pub(super) fn search_entries(container: &SyntaxNode, path: &[&str], trail: Trails<'_>) -> Found {
    let mut found = Found::default();
    if path.is_empty() {
        found.site(container, false);
    }
    for entry in scope::entries(container) {
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
    trail: Trails<'_>,
    found: &mut Found,
) {
    let attributes = scope::path(entry);
    let common = attributes.len().min(path.len());
    let same = attributes
        .iter()
        .zip(path)
        .all(|((name, _), wanted)| name.as_deref() == Some(*wanted));
    let Some(value) = entry.value().filter(|_| same) else {
        return;
    };
    if attributes.len() <= path.len() {
        found.append(search(&value, &path[common..], trail));
        return;
    }
    if !path.is_empty() {
        found.site(container, true);
    }
    let (name, attribute) = attributes[common].clone();
    let Some(name) = name else { return };
    found.hosts.push(Host {
        name,
        entry: node(entry),
        attribute,
        value: (attributes.len() == common + 1).then(|| node(&value)),
        container: container.clone(),
    });
}

fn search_inherit(
    inherit: &ast::Inherit,
    container: &SyntaxNode,
    path: &[&str],
    trail: Trails<'_>,
    found: &mut Found,
) {
    for attribute in inherit.attrs() {
        let Some(name) = name::read(&attribute) else {
            continue;
        };
        match path {
            [] => found.hosts.push(Host {
                name,
                entry: node(inherit),
                attribute: node(&attribute),
                value: None,
                container: container.clone(),
            }),
            [first, rest @ ..] if name == *first => {
                found.append(match inherit.from().and_then(|from| from.expr()) {
                    Some(from) => search(&from, path, trail),
                    // Seen from outside the set, so that a `rec` set does not find itself.
                    None => match container.parent() {
                        Some(outside) => search_variable(&name, &outside, rest, trail),
                        None => {
                            Found::obstacle(&node(inherit), rest, "it is inherited from nowhere")
                        }
                    },
                });
            }
            _ => {}
        }
    }
}
