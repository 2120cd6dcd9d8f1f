//! The search for hosts: follows a path of attribute names through sets, unions and variables.

use rnix::SyntaxNode;
use rnix::ast;

use super::call::{HostsArgument, hosts_argument, list_argument, output_argument};
use super::context::{Context, in_file};
use super::data::{filter_hosts, read_hosts};
use super::discovery::{has_hosts, reads_folder_beside};
use super::elements::element_name;
use super::expression::{
    call_parts, concatenated_lists, function_body, function_text, inner_expression, mentions_name,
    update_operands,
};
use super::flake_hosts::{FlakeHosts, HostEntry, Obstacle, SetKind};
use super::host_files::{host_of_file, name_by_variable};
use super::name::{attribute_name, is_system};
use super::parse::untyped;
use super::scope::{
    Binding, default_of, entry_path, is_of_systems, list_entries, resolve_variable,
    set_of_function, value_of,
};
use super::unsupported::SET_FOR_EACH_SYSTEM;

/// Finds the hosts in the set at `path` of the value of `expression`.
pub(super) fn search_expression(
    expression: &ast::Expr,
    path: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    let expression = inner_expression(expression);
    let here = untyped(&expression);
    if let Some((left, right)) = update_operands(&expression) {
        return search_union(&left, &right, path, context);
    }
    match &expression {
        ast::Expr::AttrSet(_) => search_entries(&here, path, context),
        ast::Expr::Ident(variable) => search_variable(&variable.to_string(), &here, path, context),
        ast::Expr::Select(select) => search_selection(select, path, context),
        ast::Expr::Apply(call) => search_call(call, path, context),
        ast::Expr::IfElse(choice) => search_choice(choice, path, context),
        // of a set that a function imports: `{ nixosConfigurations = ./hosts.nix; }`
        ast::Expr::PathRel(_) => {
            let found = search_import(&expression, path, context);
            found.unwrap_or_else(|| FlakeHosts::with_obstacle(&here, path, "it is a folder"))
        }
        ast::Expr::Lambda(_) if !path.is_empty() => {
            search_expression(&function_body(&expression), path, context)
        }
        // another thing of this name, such as the name of an output
        ast::Expr::Str(_) | ast::Expr::Literal(_) => FlakeHosts::default(),
        _ => FlakeHosts::with_obstacle(&here, path, "it is computed, not written as a set"),
    }
}

/// Searches both sides of `//`. Above the set of hosts, the right side replaces the left one if it
/// has the path.
fn search_union(
    left: &ast::Expr,
    right: &ast::Expr,
    path: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    let on_right = search_expression(right, path, context);
    let mut on_left = search_expression(left, path, context);
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

/// Searches both sides of an `if`. The only one with hosts is taken.
fn search_choice(choice: &ast::IfElse, path: &[&str], context: Context<'_>) -> FlakeHosts {
    let sides = [choice.body(), choice.else_body()];
    let sides = sides.into_iter().flatten();
    let found = sides.map(|side| search_expression(&side, path, context));
    let mut with_hosts = found.filter(|found| !found.hosts.is_empty());
    match (with_hosts.next(), with_hosts.next()) {
        (Some(only), None) => only,
        _ => FlakeHosts::with_obstacle(&untyped(choice), path, "it is chosen by an `if`"),
    }
}

/// Searches the value of a call: a file that it imports, or an argument with the hosts.
fn search_call(call: &ast::Apply, path: &[&str], context: Context<'_>) -> FlakeHosts {
    let made = set_of_function(call).map(|set| search_expression(&set, path, context));
    if let Some(made) = made.filter(|made| !made.hosts.is_empty()) {
        return made;
    }
    if let Some(data) = read_hosts(context.sources, call, path) {
        return match data {
            Ok(data) => FlakeHosts {
                data: vec![data],
                ..FlakeHosts::default()
            },
            Err(error) => FlakeHosts::with_obstacle(&untyped(call), path, error.to_string()),
        };
    }
    let found = match hosts_argument(call, path.is_empty()) {
        HostsArgument::Import(file) => search_import(&file, path, context),
        HostsArgument::Union(left, right) => Some(search_union(&left, &right, path, context)),
        HostsArgument::Same(value) => Some(search_expression(&value, path, context)),
        HostsArgument::Set(set) => Some(search_set_argument(call, &set, path, context)),
        HostsArgument::List(list) => Some(search_list(&list, context).into_argument()),
        HostsArgument::Merged(list) => Some(search_sets(&list, path, context)),
        HostsArgument::None => host_of_file(call, path, context)
            .or_else(|| data_argument(call, path, context))
            .or_else(|| {
                let value = output_argument(call, path)?;
                Some(search_expression(&value, &path[1..], context)).filter(|one| !one.is_empty())
            }),
    };
    found.unwrap_or_else(|| FlakeHosts::computed_by(&untyped(call), &function_text(call), path))
}

/// Searches the set that is an argument of a call, and selects its hosts as `filterAttrs` does.
fn search_set_argument(
    call: &ast::Apply,
    set: &ast::Expr,
    path: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    let mut found = search_expression(set, path, context).into_argument();
    if reads_folder_beside(call, &found, context.sources) {
        return FlakeHosts::computed_by(&untyped(call), &function_text(call), path);
    }
    filter_hosts(context.sources, call, &mut found.data);
    found
}

/// Returns the hosts in the argument of a fleet's own function that is a file of data with hosts.
fn data_argument(call: &ast::Apply, path: &[&str], context: Context<'_>) -> Option<FlakeHosts> {
    let arguments = call_parts(call).1.into_iter().filter(|_| path.is_empty());
    let mut found = arguments.map(|argument| match argument {
        ast::Expr::Ident(_) | ast::Expr::Select(_) | ast::Expr::Paren(_) => {
            search_expression(&argument, path, context)
        }
        _ => FlakeHosts::default(),
    });
    found.find(|found| !found.data.is_empty() && has_hosts(context.sources, found))
}

/// Searches the file that `import` reads, or the result of its function; `None` for a file that
/// cannot be located or read.
fn search_import(file: &ast::Expr, path: &[&str], context: Context<'_>) -> Option<FlakeHosts> {
    let found = in_file(file, path, context, |expression, context| {
        search_expression(&function_body(expression), path, context)
    })?;
    if found.is_empty() && path.is_empty() {
        let reason = format!("no hosts are found in `{file}`");
        return Some(FlakeHosts::with_obstacle(&untyped(file), path, reason));
    }
    Some(found)
}

/// Searches the sets of a list that become one.
pub(super) fn search_sets(list: &ast::List, path: &[&str], context: Context<'_>) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    for set in list.items() {
        found.append(search_expression(&set, path, context));
    }
    found
        .obstacles
        .truncate(usize::from(found.hosts.is_empty()));
    found
}

/// Finds the hosts in a list of names, or of sets and calls with a name.
pub(super) fn search_list(list: &ast::Expr, context: Context<'_>) -> FlakeHosts {
    let list = inner_expression(list);
    let here = untyped(&list);
    let computed = |reason: String| FlakeHosts::with_obstacle(&here, &[], reason);
    if let Some((left, right)) = concatenated_lists(&list) {
        let mut found = search_list(&left, context);
        found.append(search_list(&right, context));
        return found;
    }
    match &list {
        ast::Expr::List(elements) => search_elements(elements, &here, context),
        ast::Expr::Ident(variable) => match resolve_variable(&variable.to_string(), &here) {
            Binding::Entry(scope) if !context.has_passed(&scope, &variable.to_string()) => {
                search_list_variable(&variable.to_string(), &scope, context)
            }
            _ => computed(format!("its names come from `{variable}`")),
        },
        ast::Expr::Apply(call) => match list_argument(call) {
            HostsArgument::List(list) => search_list(&list, context),
            HostsArgument::Set(set) => search_expression(&set, &[], context),
            HostsArgument::Import(file) => in_file(&file, &[], context, |expression, context| {
                search_list(&function_body(expression), context)
            })
            .unwrap_or_else(|| computed(format!("its names are in `{file}`"))),
            _ => computed(format!(
                "its names are computed by `{}`",
                function_text(call)
            )),
        },
        ast::Expr::Select(_) => search_expression(&list, &[], context),
        _ => computed("its names are computed".to_owned()),
    }
}

fn search_list_variable(variable: &str, scope: &SyntaxNode, context: Context<'_>) -> FlakeHosts {
    match value_of(scope, variable) {
        Some(value) => context.within(scope, variable, |context| search_list(&value, context)),
        None => FlakeHosts::with_obstacle(scope, &[], format!("its names come from `{variable}`")),
    }
}

/// Searches a list: each element is a host, or a set of hosts.
fn search_elements(list: &ast::List, here: &SyntaxNode, context: Context<'_>) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    let is_of_sets = list.items().all(|element| element_name(&element).is_none());
    if is_of_sets && list.items().next().is_some() {
        return search_sets(list, &[], context);
    }
    found.add_set(here, SetKind::List);
    for element in list.items() {
        let Some((name, string)) = element_name(&element) else {
            continue;
        };
        let is_name = matches!(element, ast::Expr::Str(_));
        found.hosts.push(HostEntry {
            name,
            entry: untyped(&element),
            attribute: untyped(&string),
            value: (!is_name).then(|| untyped(&element)),
            container: here.clone(),
        });
    }
    found
}

fn search_variable(
    variable: &str,
    place: &SyntaxNode,
    path: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    match resolve_variable(variable, place) {
        Binding::Entry(scope) if context.has_passed(&scope, variable) => {
            FlakeHosts::with_obstacle(place, path, "it is defined by itself")
        }
        Binding::Entry(scope) => context.within(&scope, variable, |context| {
            search_entries(&scope, &[&[variable], path].concat(), context)
        }),
        Binding::Argument => {
            if let Some(default) = default_of(variable, place) {
                return search_expression(&default, path, context);
            }
            let reason = format!("it comes from the argument `{variable}`");
            FlakeHosts::with_obstacle(place, path, reason)
        }
        Binding::Unknown => {
            let reason = format!("it comes from `{variable}`, which this file does not define");
            FlakeHosts::with_obstacle(place, path, reason)
        }
    }
}

/// Searches a selection such as `hosts.servers`, if the file defines `hosts`.
fn search_selection(select: &ast::Select, path: &[&str], context: Context<'_>) -> FlakeHosts {
    let here = untyped(select);
    let attributes = select.attrpath().into_iter().flat_map(|path| path.attrs());
    let names: Option<Vec<String>> = attributes
        .map(|attribute| attribute_name(&attribute))
        .collect();
    let set = select.expr().filter(|_| select.default_expr().is_none());
    if let (Some(set), Some(names)) = (set, names) {
        let names = names.iter().map(String::as_str).chain(path.iter().copied());
        let found = search_expression(&set, &names.collect::<Vec<_>>(), context);
        let inside = |one: &Obstacle| one.node.ancestors().any(|node| node == here);
        // what modules evaluate to: `evaluated.config.systems`
        let is_evaluated = mentions_name(&here, "config") && found.names().is_empty();
        if !found.is_empty() && !found.obstacles.iter().any(inside) && !is_evaluated {
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
    context: Context<'_>,
) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    if path.is_empty() {
        found.add_set(container, SetKind::Plain);
    }
    for entry in list_entries(container) {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                search_entry(&entry, container, path, context, &mut found);
            }
            ast::Entry::Inherit(inherit) => {
                search_inherit(&inherit, container, path, context, &mut found);
            }
        }
    }
    found
}

fn search_entry(
    entry: &ast::AttrpathValue,
    container: &SyntaxNode,
    path: &[&str],
    context: Context<'_>,
    found: &mut FlakeHosts,
) {
    let attributes = entry_path(entry);
    let common = attributes.len().min(path.len());
    let mut pairs = attributes.iter().zip(path);
    let is_same = pairs.all(|((name, _), wanted)| name.as_deref() == Some(*wanted));
    let Some(value) = entry.value().filter(|_| is_same) else {
        return;
    };
    if attributes.len() <= path.len() {
        return found.append(search_expression(&value, &path[common..], context));
    }
    if !path.is_empty() {
        found.add_set(container, SetKind::Dotted);
    }
    let (name, attribute) = attributes[common].clone();
    let Some(name) = name.or_else(|| name_by_variable(&attribute, context)) else {
        let reason = "the name of a host is computed";
        return found.append(FlakeHosts::with_obstacle(&attribute, &[], reason));
    };
    if path.is_empty() && is_system(&name) && is_of_systems(container) {
        found.append(search_system(&name, &value, context));
        found.sets.retain(|set| set.container != *container);
        return;
    }
    let value = untyped(&value);
    found.hosts.push(HostEntry {
        name,
        entry: untyped(entry),
        attribute,
        value: Some(value).filter(|_| attributes.len() == common + 1),
        container: container.clone(),
    });
}

/// Searches the set with the hosts of one system, beside those of others. Those of macOS are none.
fn search_system(system: &str, value: &ast::Expr, context: Context<'_>) -> FlakeHosts {
    let value = inner_expression(value);
    match &value {
        ast::Expr::AttrSet(_) if system.ends_with("-darwin") => FlakeHosts::default(),
        ast::Expr::AttrSet(_) => search_entries(&untyped(&value), &[], context),
        _ => FlakeHosts::with_obstacle(&untyped(&value), &[], SET_FOR_EACH_SYSTEM),
    }
}

fn search_inherit(
    inherit: &ast::Inherit,
    container: &SyntaxNode,
    path: &[&str],
    context: Context<'_>,
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
                    Some(from) => search_expression(&from, path, context),
                    // Resolved outside of the set, so that a `rec` set does not find itself.
                    None => match container.parent() {
                        Some(outside) => search_variable(&name, &outside, rest, context),
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
