//! Follows a path of attribute names through sets, unions and variables to the hosts.

use rnix::SyntaxNode;
use rnix::ast;

use super::expression::{mentions, peel, update};
use super::found::{Found, Host, Obstacle};
use super::parse::node;
use super::scope::{self, Binding};
use super::{expression, name};

/// How many variables are followed before a definition counts as going round in circles.
pub(super) const MAX_DEPTH: usize = 32;

/// Finds the set at `path` in the value `expression`.
pub(super) fn search(expression: &ast::Expr, path: &[&str], depth: usize) -> Found {
    let expression = peel(expression);
    let here = node(&expression);
    if depth > MAX_DEPTH {
        return Found::obstacle(&here, path, "it is defined by itself");
    }
    if let Some((left, right)) = update(&expression) {
        return search_union(&left, &right, path, depth + 1);
    }
    match &expression {
        ast::Expr::AttrSet(_) => search_entries(&here, path, depth),
        ast::Expr::Ident(variable) => search_variable(&variable.to_string(), &here, path, depth),
        ast::Expr::Select(select) => search_selection(select, path, depth),
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
fn search_union(left: &ast::Expr, right: &ast::Expr, path: &[&str], depth: usize) -> Found {
    let on_right = search(right, path, depth);
    let mut on_left = search(left, path, depth);
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

fn search_variable(variable: &str, place: &SyntaxNode, path: &[&str], depth: usize) -> Found {
    match scope::resolve(variable, place) {
        Binding::Entry(container) => {
            search_entries(&container, &[&[variable], path].concat(), depth + 1)
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
fn search_selection(select: &ast::Select, path: &[&str], depth: usize) -> Found {
    let here = node(select);
    let attributes = select.attrpath().into_iter().flat_map(|path| path.attrs());
    let names: Option<Vec<String>> = attributes.map(|attribute| name::read(&attribute)).collect();
    let set = select.expr().filter(|_| select.default_expr().is_none());
    if let (Some(set), Some(names)) = (set, names) {
        let names = names.iter().map(String::as_str).chain(path.iter().copied());
        let found = search(&set, &names.collect::<Vec<_>>(), depth + 1);
        let inside =
            |obstacle: &Obstacle| obstacle.node.ancestors().any(|ancestor| ancestor == here);
        if !found.is_empty() && !found.obstacles.iter().any(inside) {
            return found;
        }
    }
    Found::obstacle(&here, path, format!("it comes from `{select}`"))
}

/// Finds the set at `path` among the entries of a set or `let`; with an empty path, the container is that set.
pub(super) fn search_entries(container: &SyntaxNode, path: &[&str], depth: usize) -> Found {
    let mut found = Found::default();
    if path.is_empty() {
        found.site(container, false);
    }
    for entry in scope::entries(container) {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                search_entry(&entry, container, path, depth, &mut found);
            }
            ast::Entry::Inherit(inherit) => {
                search_inherit(&inherit, container, path, depth, &mut found);
            }
        }
    }
    found
}

fn search_entry(
    entry: &ast::AttrpathValue,
    container: &SyntaxNode,
    path: &[&str],
    depth: usize,
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
        found.append(search(&value, &path[common..], depth + 1));
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
    depth: usize,
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
                    Some(from) => search(&from, path, depth + 1),
                    // Seen from outside the set, so that a `rec` set does not find itself.
                    None => match container.parent() {
                        Some(outside) => search_variable(&name, &outside, rest, depth),
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
