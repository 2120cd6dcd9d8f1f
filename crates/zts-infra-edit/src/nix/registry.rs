//! Hosts that an expression names without having them: an option that any module of the fleet may
//! set (`config.hosts`), or the argument that another file gives.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::call::changes_names;
use super::context::Context;
use super::discovery::{has_hosts, is_name_of_hosts, names_with_files};
use super::expression::{call_parts, function_body, inner_expression};
use super::files::{SourceFile, Sources, file_expression};
use super::flake_hosts::{FlakeHosts, Obstacle};
use super::locate::CONFIGURATIONS;
use super::name::attribute_name;
use super::parse::{cast, untyped};
use super::scope::{Binding, list_entries, resolve_variable, value_of};
use super::search::{search_entries, search_expression, search_list};

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
    let path = ["flake"]
        .iter()
        .chain(output)
        .map(|name| (*name).to_owned());
    let found = search_modules(sources, &path.collect::<Vec<_>>());
    (has_modules(flake) && !found.is_empty()).then_some(found)
}

/// Finds the hosts in an option of a flake that has a few others, such as an image, in
/// `nixosConfigurations` itself. The few are listed, but are no model for new ones.
pub(super) fn find_larger_registry(
    sources: &Sources<'_>,
    flake: &SourceFile,
    found: &FlakeHosts,
) -> Option<FlakeHosts> {
    let all = find_in_modules(sources, flake, &[CONFIGURATIONS]);
    let mut obstacles = all.as_ref().unwrap_or(found).obstacles.iter();
    let mut larger = obstacles
        .find_map(|obstacle| find_option(sources, obstacle))
        .filter(|one| one.names().len() > found.names().len())?;
    larger.hosts.extend(found.hosts.iter().cloned());
    Some(larger)
}

/// Returns whether a flake is made of the modules of flake-parts.
pub(super) fn has_modules(flake: &SourceFile) -> bool {
    const PROJECTS: [&str; 2] = ["flake-parts", "import-tree"];
    PROJECTS.iter().any(|project| flake.text.contains(project))
}

/// Finds the hosts that the obstacles of a search name.
pub(super) fn find_registry(sources: &Sources<'_>, found: &FlakeHosts) -> Option<FlakeHosts> {
    let mut obstacles = found.obstacles.iter();
    obstacles.find_map(|obstacle| {
        let node = &obstacle.node;
        let file = sources.file_of(node)?;
        find_option(sources, obstacle).or_else(|| {
            let variable = cast::<ast::Ident>(node)?.to_string();
            let found = search_argument(sources, &variable, &file);
            Some(found).filter(|found| has_hosts(sources, found))
        })
    })
}

/// Finds the hosts in the option that an obstacle is or mentions.
fn find_option(sources: &Sources<'_>, obstacle: &Obstacle) -> Option<FlakeHosts> {
    let options = options_in(obstacle);
    // the option itself, not one that the expression mentions
    let direct = option_path(&obstacle.node, MAX_STEPS).and_then(|_| options.first());
    let found = options
        .iter()
        .map(|path| (path, search_option(sources, path)));
    let is_known = |path: &Vec<String>, found: &FlakeHosts| {
        let is_of_modules = path.iter().any(|name| name == "modules");
        let is_named = path.last().is_some_and(|name| is_name_of_hosts(name)) && !is_of_modules;
        let is_of_hosts = found.hosts.len() > 1 && (is_named || is_one_set(found));
        has_hosts(sources, found) || (Some(path) == direct && is_of_hosts)
    };
    let mut known = found.filter(|(path, found)| is_known(path, found));
    known.next().map(|(_, found)| found)
}

/// Finds the variable with the hosts in a file whose hosts are computed in a way that no text
/// shows.
pub(super) fn find_variable_of_hosts(
    sources: &Sources<'_>,
    found: &FlakeHosts,
) -> Option<FlakeHosts> {
    let mut obstacles = found.obstacles.iter();
    obstacles.find_map(|obstacle| {
        let node = &obstacle.node;
        let file = sources.file_of(node).filter(|_| !has_other_names(node))?;
        search_bindings(sources, &file)
    })
}

/// Returns the paths of the options that a flake makes its hosts from, as its obstacles tell.
pub(super) fn options_of(found: &FlakeHosts) -> Vec<Vec<String>> {
    let obstacles = found.obstacles.iter();
    obstacles.flat_map(options_in).collect()
}

fn options_in(obstacle: &Obstacle) -> Vec<Vec<String>> {
    let mut options = Vec::new();
    let prefix = obstacle.prefix.as_deref().unwrap_or_default();
    if let Some(mut whole) = option_path(&obstacle.node, MAX_STEPS) {
        let names = prefix.split_terminator('.').map(str::to_owned);
        whole.extend(names);
        options.push(whole);
    }
    let nodes = obstacle.node.descendants();
    options.extend(nodes.filter_map(|node| option_path(&node, MAX_STEPS)));
    options.retain(|path| !path.is_empty());
    options.dedup();
    options.truncate(MAX_OPTIONS);
    options
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
    let base = untyped(&select.expr()?);
    let steps = steps.checked_sub(1)?;
    let path = if let Some(mut path) = option_path(&base, steps) {
        path.extend(names?);
        path
    } else if is_flake(&base.to_string()) {
        // an output of the flake is the option `flake` of its modules
        let names = names?.into_iter();
        [OUTPUTS.to_owned()].into_iter().chain(names).collect()
    } else {
        let mut path = vec![base.to_string()];
        path.extend(names?);
        let start = path.iter().position(|name| name == "config")? + 1;
        path.split_off(start)
    };
    let is_foreign = path
        .first()
        .is_some_and(|first| FOREIGN.contains(&first.as_str()));
    (!is_foreign).then_some(path)
}

/// The option of flake-parts with the outputs.
const OUTPUTS: &str = "flake";

/// Returns whether an expression is the flake itself.
fn is_flake(base: &str) -> bool {
    ["self", "inputs.self", OUTPUTS].contains(&base)
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
    let Some((first, rest)) = path.split_first() else {
        return found;
    };
    // a file may have the inner sets from another one
    let has_path = |text: &str| {
        let has_rest = rest.iter().any(|name| text.contains(name.as_str()));
        text.contains(first.as_str()) && (has_rest || rest.is_empty())
    };
    for file in sources.files_that(has_path) {
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

/// Returns whether no set but one has hosts: modules have files of their own.
fn is_one_set(found: &FlakeHosts) -> bool {
    found.sets.len() == 1
}

/// Returns whether an expression is a call of a function that gives the hosts other names.
fn has_other_names(node: &SyntaxNode) -> bool {
    let call = cast::<ast::Apply>(node);
    call.is_some_and(|call| call_parts(&call).1.iter().any(changes_names))
}

/// Searches the variables of a file for the set or list with the most hosts: a function of the
/// fleet's own makes the hosts from it, in whatever way.
fn search_bindings(sources: &Sources<'_>, file: &SourceFile) -> Option<FlakeHosts> {
    let context = Context::new(sources);
    let scopes = file.root.descendants();
    let scopes = scopes.filter(|node| node.kind() == SyntaxKind::NODE_LET_IN);
    let values = scopes.flat_map(|scope| {
        let entries = list_entries(&scope).into_iter();
        entries.filter_map(|entry| match entry {
            ast::Entry::AttrpathValue(entry) => entry.value(),
            ast::Entry::Inherit(_) => None,
        })
    });
    let found = values.map(|value| match inner_expression(&value) {
        ast::Expr::List(_) => search_list(&value, context),
        ast::Expr::AttrSet(_) | ast::Expr::Apply(_) => search_expression(&value, &[], context),
        _ => FlakeHosts::default(),
    });
    let is_of_hosts = |found: &FlakeHosts| {
        let names = found.hosts.iter().map(|host| host.name.as_str());
        let known = names_with_files(sources, names).len();
        known > 1 || known == found.hosts.len()
    };
    found
        .filter(|found| found.obstacles.is_empty() && has_hosts(sources, found))
        .filter(is_of_hosts)
        .max_by_key(|found| found.hosts.len())
        .map(FlakeHosts::into_argument)
}

/// Finds the only file that is a set of hosts, such as `hosts.nix`, each of which has files: a
/// function of the fleet's own makes the hosts from it, in whatever way.
pub(super) fn find_file_of_hosts(sources: &Sources<'_>) -> Option<FlakeHosts> {
    let is_named = |path: &&String| {
        let path = path
            .trim_end_matches("/default.nix")
            .trim_end_matches(".nix");
        is_name_of_hosts(path.rsplit('/').next().unwrap_or(path))
    };
    let files = sources.paths().iter().filter(is_named);
    let files = files.filter_map(|path| sources.open(path)?.ok());
    let mut found = files.filter_map(|file| {
        let ast::Expr::AttrSet(set) = file_expression(&file)? else {
            return None;
        };
        let found = search_entries(&untyped(&set), &[], Context::new(sources));
        let names = found.hosts.iter().map(|host| host.name.as_str());
        let known = names_with_files(sources, names).len();
        // a new host has no file yet
        let has_files = known > 1 && known + 1 >= found.hosts.len();
        let are_sets = found.hosts.iter().all(|host| {
            let value = host.value.as_ref();
            value.is_some_and(|value| cast::<ast::AttrSet>(value).is_some())
        });
        (has_files && are_sets).then(|| found.into_argument())
    });
    found.next().filter(|_| found.next().is_none())
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
