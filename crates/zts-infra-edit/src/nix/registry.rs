//! Hosts that an expression names without having them: an option that any module of the fleet may
//! set (`config.hosts`), or the argument that another file gives.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::context::Context;
use super::discovery::has_hosts;
use super::expression::{function_body, inner_expression};
use super::files::{SourceFile, Sources, file_expression};
use super::flake_hosts::FlakeHosts;
use super::name::attribute_name;
use super::parse::{cast, untyped};
use super::scope::{Binding, resolve_variable, value_of};
use super::search::search_entries;

/// The limit of variables on the way to an option.
const MAX_STEPS: usize = 4;
/// The limit of options that one expression is searched for.
const MAX_OPTIONS: usize = 8;

/// Finds the hosts in the modules of a flake of flake-parts, in whatever way it imports them.
pub(super) fn find_in_modules(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
) -> Option<FlakeHosts> {
    const PROJECTS: [&str; 2] = ["flake-parts", "import-tree"];
    let uses_modules = PROJECTS.iter().any(|project| flake.text.contains(project));
    let path = ["flake"]
        .iter()
        .chain(output)
        .map(|name| (*name).to_owned());
    let found = search_modules(sources, &path.collect::<Vec<_>>());
    (uses_modules && !found.is_empty()).then_some(found)
}

/// Finds the hosts that the obstacles of a search name.
pub(super) fn find_registry(sources: &Sources<'_>, found: &FlakeHosts) -> Option<FlakeHosts> {
    let mut obstacles = found.obstacles.iter();
    obstacles.find_map(|obstacle| {
        let node = &obstacle.node;
        let mut options: Vec<Vec<String>> = node
            .descendants()
            .filter_map(|node| option_path(&node, MAX_STEPS))
            .collect();
        options.dedup();
        options.truncate(MAX_OPTIONS);
        let mut by_option = options.iter().map(|path| search_option(sources, path));
        let found = by_option.find(|found| has_hosts(sources, found));
        found.or_else(|| {
            let variable = cast::<ast::Ident>(node)?.to_string();
            let file = sources.file_of(node)?;
            let found = search_argument(sources, &variable, &file);
            Some(found).filter(|found| has_hosts(sources, found))
        })
    })
}

/// Returns the path of an option: `hosts.nixos` of `config.hosts.nixos`, or of a variable with this
/// value. The options of NixOS itself are none of the fleet's.
fn option_path(node: &SyntaxNode, steps: usize) -> Option<Vec<String>> {
    const FOREIGN: [&str; 4] = ["networking", "system", "services", "nixpkgs"];
    if let Some(variable) = cast::<ast::Ident>(node) {
        let name = variable.to_string();
        let Binding::Entry(scope) = resolve_variable(&name, node) else {
            return None;
        };
        let value = value_of(&scope, &name)?;
        let value = untyped(&inner_expression(&value));
        return option_path(&value, steps.checked_sub(1)?);
    }
    let select = cast::<ast::Select>(node)?;
    let attributes = select.attrpath()?.attrs();
    let names: Option<Vec<String>> = attributes.map(|name| attribute_name(&name)).collect();
    let mut path = vec![untyped(&select.expr()?).to_string()];
    path.extend(names?);
    let start = path.iter().position(|name| name == "config")? + 1;
    let path = path.split_off(start);
    let first = path.first()?;
    (!FOREIGN.contains(&first.as_str())).then_some(path)
}

/// Searches all modules of the fleet for the hosts in an option of the fleet.
fn search_option(sources: &Sources<'_>, path: &[String]) -> FlakeHosts {
    let mut found = search_modules(sources, path).into_argument();
    found.obstacles.clear();
    found.keep_sets_with_hosts();
    found
}

/// Searches all modules of the fleet for a set at a path.
fn search_modules(sources: &Sources<'_>, path: &[String]) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    let Some(last) = path.last() else {
        return found;
    };
    for file in sources.files_with(last) {
        let Some(module) = file_expression(&file) else {
            continue;
        };
        let module = untyped(&function_body(&module));
        for prefix in [&[][..], &["config"]] {
            let names = path.iter().map(String::as_str);
            let path: Vec<&str> = prefix.iter().copied().chain(names).collect();
            let context = Context::new(sources);
            found.append(search_entries(&module, &path, context));
        }
    }
    found
}

/// Searches all files for the set or the `let` with the hosts that a file gets as the argument
/// `variable`.
fn search_argument(sources: &Sources<'_>, variable: &str, file: &SourceFile) -> FlakeHosts {
    for other in sources.files_with(variable) {
        if other.path == file.path {
            continue;
        }
        let scopes = other.root.descendants().filter(|node| {
            matches!(
                node.kind(),
                SyntaxKind::NODE_LET_IN | SyntaxKind::NODE_ATTR_SET
            )
        });
        for scope in scopes {
            if value_of(&scope, variable).is_none() {
                continue;
            }
            let mut found = search_entries(&scope, &[variable], Context::new(sources));
            if has_hosts(sources, &found) && found.obstacles.is_empty() {
                found = found.into_argument();
                return found;
            }
        }
    }
    FlakeHosts::default()
}
