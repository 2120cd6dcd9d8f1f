//! The calls of functions that make hosts, and the arguments with the hosts.

use rnix::ast::{self, HasEntry, InterpolPart};

use super::elements::{element_name, lists_hosts};
use super::expression::{
    call_parts, function_body, inner_expression, literal_string, mentions_name,
};
use super::name::{attribute_name, is_system};
use super::parse::untyped;
use super::scope::{Binding, resolve_variable, value_of};

/// The part of a call that has the hosts.
pub(super) enum HostsArgument {
    /// A set whose names are those of the hosts, such as the second argument of `mapAttrs`.
    Set(ast::Expr),
    /// A list of names or of sets with a name, such as the argument of `listToAttrs`.
    List(ast::Expr),
    /// The path of a file.
    Import(ast::Expr),
    /// Both sides of `recursiveUpdate`.
    Union(ast::Expr, ast::Expr),
    /// A list of sets that become one, each around the set of hosts.
    Merged(ast::List),
    /// The value of another expression, unchanged.
    Same(ast::Expr),
    /// None that can be recognised.
    None,
}

/// Returns the part of a call that has the hosts. With `is_set`, the value of the call is the set
/// of hosts, not a set around it.
pub(super) fn hosts_argument(call: &ast::Apply, is_set: bool) -> HostsArgument {
    let (function, arguments) = call_parts(call);
    let name = function_name(&function).unwrap_or_default();
    match (name.as_str(), arguments.as_slice()) {
        ("import" | "importApply", [path, ..]) => HostsArgument::Import(path.clone()),
        (name, [left, right]) if is_union(name) => {
            HostsArgument::Union(left.clone(), right.clone())
        }
        ("recursiveUpdateUntil", [_, left, right]) => {
            HostsArgument::Union(left.clone(), right.clone())
        }
        ("optionalAttrs" | "mkIf" | "mkOverride", [_, value])
        | ("mkDefault" | "mkForce" | "mkBefore" | "mkAfter", [value]) => {
            HostsArgument::Same(value.clone())
        }
        (_, arguments) if is_set => set_argument(&name, arguments),
        ("mkMerge", [ast::Expr::List(list)])
        | ("foldl" | "foldl'" | "foldr" | "fold", [_, _, ast::Expr::List(list)]) => {
            HostsArgument::Merged(list.clone())
        }
        (name, [ast::Expr::List(list)]) if is_merge(name) => HostsArgument::Merged(list.clone()),
        _ => HostsArgument::None,
    }
}

fn set_argument(name: &str, arguments: &[ast::Expr]) -> HostsArgument {
    match (name, arguments) {
        ("mapAttrs'" | "concatMapAttrs", [function, _]) if changes_names(function) => {
            HostsArgument::None
        }
        ("mapAttrs" | "mapAttrs'" | "concatMapAttrs" | "filterAttrs", [_, set]) => {
            HostsArgument::Set(set.clone())
        }
        ("pipe", [list, _]) if matches!(resolve(list), ast::Expr::List(_)) => {
            HostsArgument::List(list.clone())
        }
        ("removeAttrs" | "pipe", [set, _]) => HostsArgument::Set(set.clone()),
        ("genAttrs", [list, _])
        | ("listToAttrs" | "mergeAttrsList" | "mkMerge", [list])
        | ("foldl" | "foldl'" | "foldr" | "fold", [_, _, list])
        | ("zipAttrsWith", [_, list]) => HostsArgument::List(list.clone()),
        (name, [list @ ast::Expr::List(_)]) if is_merge(name) => HostsArgument::List(list.clone()),
        ("readDir" | "mapAttrs" | "mapAttrs'" | "genAttrs", _) => HostsArgument::None,
        _ => {
            let names = names_beside_more(arguments).map(HostsArgument::List);
            let own = || arguments.iter().rev().find_map(argument_of_helper);
            names.or_else(own).unwrap_or(HostsArgument::None)
        }
    }
}

/// Returns whether a function of this name, such as `mergeAttrs`, makes one set of two.
fn is_union(name: &str) -> bool {
    name == "recursiveUpdate" || name == "deepMerge" || is_merge(name)
}

/// Returns whether a function, such as a fleet's own `mergeHosts`, makes one set of several.
fn is_merge(name: &str) -> bool {
    let name = name.to_lowercase();
    name != "mkmerge" && (name.starts_with("merge") || name.ends_with("merge"))
}

/// Returns the part of a call that has the list of hosts.
pub(super) fn list_argument(call: &ast::Apply) -> HostsArgument {
    let (function, arguments) = call_parts(call);
    let name = function_name(&function).unwrap_or_default();
    match (name.as_str(), arguments.as_slice()) {
        ("import" | "importApply", [path, ..]) => HostsArgument::Import(path.clone()),
        ("map" | "concatMap" | "mapAttrsToList", [function, _]) | ("forEach", [_, function])
            if changes_names(function) || reads_folder(function) =>
        {
            HostsArgument::None
        }
        ("map" | "filter" | "concatMap" | "remove" | "subtractLists", [_, list])
        | ("forEach", [list, _])
        | ("unique" | "flatten" | "concatLists", [list]) => HostsArgument::List(list.clone()),
        ("attrNames" | "attrValues" | "attrsToList", [set]) | ("mapAttrsToList", [_, set]) => {
            HostsArgument::Set(set.clone())
        }
        _ => HostsArgument::None,
    }
}

/// Returns the value of the first name of a path in a set that a function gets.
pub(super) fn output_argument(call: &ast::Apply, path: &[&str]) -> Option<ast::Expr> {
    let first = path.first()?;
    call_parts(call)
        .1
        .iter()
        .find_map(|argument| match argument {
            ast::Expr::AttrSet(set) => value_of(&untyped(set), first),
            _ => None,
        })
}

/// Returns whether a function reads a folder for each element, such as the hosts of a domain.
fn reads_folder(function: &ast::Expr) -> bool {
    let function = inner_expression(function);
    matches!(function, ast::Expr::Lambda(_)) && mentions_name(&untyped(&function), "readDir")
}

/// Returns whether a function gives hosts other names than those of the elements that it is applied
/// to, such as `name = "rack-${node}"`.
pub(super) fn changes_names(function: &ast::Expr) -> bool {
    let name = match function_body(function) {
        ast::Expr::AttrSet(set) => set.attrpath_values().find_map(|entry| {
            let mut attributes = entry.attrpath()?.attrs();
            let is_name = attribute_name(&attributes.next()?)? == "name";
            entry.value().filter(|_| is_name)
        }),
        ast::Expr::Apply(call) => {
            let (function, arguments) = call_parts(&call);
            let is_pair = function_name(&function).is_some_and(|name| name == "nameValuePair");
            arguments.first().filter(|_| is_pair).cloned()
        }
        _ => None,
    };
    match name.map(|name| inner_expression(&name)) {
        Some(ast::Expr::Str(string)) => {
            let parts = string.normalized_parts();
            let is_computed =
                |part: &InterpolPart<String>| matches!(part, InterpolPart::Interpolation(_));
            parts.len() > 1 && parts.iter().any(is_computed)
        }
        Some(ast::Expr::BinOp(_)) => true,
        _ => false,
    }
}

/// Returns the last part of a function's name: `mapAttrs` of `lib.mapAttrs`.
pub(super) fn function_name(function: &ast::Expr) -> Option<String> {
    match function {
        ast::Expr::Ident(variable) => Some(variable.to_string()),
        ast::Expr::Select(select) => attribute_name(&select.attrpath()?.attrs().last()?),
        ast::Expr::Paren(paren) => function_name(&paren.expr()?),
        _ => None,
    }
}

/// Returns the list of hosts' names that a function gets beside a set with more of some of them:
/// `names` of `mkHosts names { web01 = [ … ]; }`.
fn names_beside_more(arguments: &[ast::Expr]) -> Option<ast::Expr> {
    let sets: Vec<ast::AttrSet> = arguments
        .iter()
        .filter_map(|argument| match resolve(argument) {
            ast::Expr::AttrSet(set) => Some(set),
            _ => None,
        })
        .collect();
    let is_of = |names: &[String], set: &ast::AttrSet| {
        let mut entries = set.entries();
        entries.all(|entry| match entry {
            ast::Entry::AttrpathValue(entry) => entry
                .attrpath()
                .and_then(|path| attribute_name(&path.attrs().next()?))
                .is_some_and(|name| names.contains(&name)),
            ast::Entry::Inherit(_) => false,
        })
    };
    let mut arguments = arguments.iter();
    let found = arguments.find(|argument| match resolve(argument) {
        ast::Expr::List(list) if lists_hosts(&list) => {
            let names = list.items().filter_map(|item| element_name(&item));
            let names: Vec<String> = names.map(|(name, _)| name).collect();
            sets.iter().any(|set| is_of(&names, set))
        }
        _ => false,
    });
    found.cloned()
}

/// Returns the value of a variable of the file, or the expression itself.
fn resolve(expression: &ast::Expr) -> ast::Expr {
    const MAX_STEPS: usize = 8;
    let mut value = inner_expression(expression);
    for _ in 0..MAX_STEPS {
        let ast::Expr::Ident(variable) = &value else {
            break;
        };
        let name = variable.to_string();
        let next = match resolve_variable(&name, &untyped(variable)) {
            Binding::Entry(scope) => value_of(&scope, &name),
            Binding::Argument | Binding::Unknown => None,
        };
        let Some(next) = next else { break };
        value = inner_expression(&next);
    }
    value
}

/// Returns the hosts in an argument of a fleet's own function, if the argument looks like hosts.
fn argument_of_helper(argument: &ast::Expr) -> Option<HostsArgument> {
    let inner = inner_expression(argument);
    match &inner {
        ast::Expr::AttrSet(set) => match named_hosts(set) {
            Some(hosts) => Some(match resolve(&hosts) {
                ast::Expr::List(_) => HostsArgument::List(hosts),
                _ => HostsArgument::Set(hosts),
            }),
            None => looks_like_hosts(set).then(|| HostsArgument::Set(argument.clone())),
        },
        ast::Expr::List(list) if lists_hosts(list) => Some(HostsArgument::List(argument.clone())),
        ast::Expr::Ident(variable) if is_name_of_hosts(&variable.to_string()) => {
            Some(HostsArgument::Set(argument.clone()))
        }
        ast::Expr::Select(_)
            if function_name(&inner).is_some_and(|name| is_name_of_hosts(&name)) =>
        {
            Some(HostsArgument::Set(argument.clone()))
        }
        // `mkHosts (import ./hosts.nix)`
        ast::Expr::Apply(call) => match hosts_argument(call, false) {
            HostsArgument::Import(_) => Some(HostsArgument::Set(argument.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the name of the setting `hosts` or the like in the settings of a function, inherited or
/// not.
pub(super) fn setting_of_hosts(set: &ast::AttrSet) -> Option<String> {
    set.entries().find_map(|entry| match entry {
        ast::Entry::AttrpathValue(entry) => {
            let name = attribute_name(&entry.attrpath()?.attrs().next()?)?;
            is_name_of_hosts(&name).then_some(name)
        }
        ast::Entry::Inherit(inherit) => {
            let mut names = inherit.attrs().filter_map(|name| attribute_name(&name));
            names.find(|name| is_name_of_hosts(name))
        }
    })
}

/// Returns the value of `hosts` and the like in the settings of a function.
fn named_hosts(set: &ast::AttrSet) -> Option<ast::Expr> {
    const LISTS: [&str; 3] = ["names", "hostNames", "hostnames"];
    set.attrpath_values().find_map(|entry| {
        let mut attributes = entry.attrpath()?.attrs();
        let (first, rest) = (attributes.next()?, attributes.next());
        let name = attribute_name(&first)?;
        let value = entry.value().filter(|_| rest.is_none())?;
        let has_hosts = match inner_expression(&value) {
            ast::Expr::Ident(_) if LISTS.contains(&name.as_str()) => {
                matches!(resolve(&value), ast::Expr::List(list) if lists_hosts(&list))
            }
            ast::Expr::AttrSet(_) | ast::Expr::Apply(_) | ast::Expr::Ident(_) => {
                is_name_of_hosts(&name)
            }
            ast::Expr::List(list) => {
                (is_name_of_hosts(&name) || LISTS.contains(&name.as_str())) && lists_hosts(&list)
            }
            _ => false,
        };
        has_hosts.then_some(value)
    })
}

fn is_name_of_hosts(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "hosts",
        "machines",
        "nodes",
        "servers",
        "configurations",
        "nixosHosts",
        "hostConfigs",
        "nixosConfigurations",
    ];
    NAMES.contains(&name)
}

/// Returns whether a set that a function gets has hosts, not the function's settings.
fn looks_like_hosts(set: &ast::AttrSet) -> bool {
    const SETTINGS: [&str; 22] = [
        "inputs",
        "self",
        "lib",
        "pkgs",
        "nixpkgs",
        "system",
        "arch",
        "hostname",
        "hostName",
        "name",
        "specialArgs",
        "extraSpecialArgs",
        "modules",
        "extraModules",
        "overlays",
        "config",
        "path",
        "src",
        "dir",
        "root",
        "username",
        "stateVersion",
    ];
    let is_setting = |entry: ast::Entry| match entry {
        ast::Entry::Inherit(_) => true,
        ast::Entry::AttrpathValue(entry) => {
            let first = entry.attrpath().and_then(|path| path.attrs().next());
            let name = first.and_then(|first| attribute_name(&first));
            name.is_none_or(|name| SETTINGS.contains(&name.as_str()))
        }
    };
    let mut values = set.attrpath_values().filter_map(|entry| entry.value());
    values.any(|value| is_value_of_host(&value)) && !set.entries().any(is_setting)
}

fn is_value_of_host(value: &ast::Expr) -> bool {
    match inner_expression(value) {
        ast::Expr::AttrSet(_)
        | ast::Expr::Apply(_)
        | ast::Expr::PathRel(_)
        | ast::Expr::Lambda(_)
        | ast::Expr::List(_) => true,
        ast::Expr::Str(string) => literal_string(&string).is_some_and(|text| is_system(&text)),
        _ => false,
    }
}
