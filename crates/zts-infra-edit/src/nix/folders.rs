//! The folders that computed paths name.

use rnix::ast::{self, InterpolPart};

use super::expression::inner_expression;
use super::files::{Sources, join_path};
use super::name::is_system;
use super::parse::untyped;
use super::paths::resolve_path;
use super::scope::{Binding, resolve_variable, value_of};

/// The limit of variables and operators on the way to a path.
const MAX_STEPS: usize = 8;

/// Returns the folder of a path, up to its first computed part.
pub(super) fn folder_prefix(sources: &Sources<'_>, path: &ast::Expr) -> Option<String> {
    prefix_within(sources, path, MAX_STEPS)
}

fn prefix_within(sources: &Sources<'_>, path: &ast::Expr, steps: usize) -> Option<String> {
    let steps = steps.checked_sub(1)?;
    let path = inner_expression(path);
    if let Some(folder) = sources.literal_path(&path) {
        return Some(folder);
    }
    match &path {
        ast::Expr::PathRel(path) => {
            let file = sources.file_of(&untyped(path))?;
            let text = path.to_string();
            let (literal, rest) = text.split_once("${")?;
            let above = resolve_path(&file.path, literal)?;
            let inner = rest
                .split_once('}')
                .map(|(_, inner)| inner.trim_matches('/'));
            let inner = inner.filter(|inner| !inner.is_empty());
            let inner = inner.and_then(|inner| folder_of_most(sources, &above, inner));
            Some(inner.unwrap_or(above))
        }
        ast::Expr::BinOp(sum) => prefix_within(sources, &sum.lhs()?, steps),
        ast::Expr::Ident(variable) => {
            let name = variable.to_string();
            match resolve_variable(&name, &untyped(variable)) {
                Binding::Entry(scope) => prefix_within(sources, &value_of(&scope, &name)?, steps),
                Binding::Argument | Binding::Unknown => None,
            }
        }
        // `"${./hosts}"`
        ast::Expr::Str(string) => {
            let mut parts = string.normalized_parts().into_iter();
            match (parts.next(), parts.next()) {
                (Some(InterpolPart::Interpolation(path)), None) => {
                    prefix_within(sources, &path.expr()?, steps)
                }
                _ => None,
            }
        }
        // `toString ./hosts`
        ast::Expr::Apply(call) => prefix_within(sources, &call.argument()?, steps),
        _ => None,
    }
}

/// Returns the folder `inner` of a folder below another one, such as `hosts/example.net/nodes`:
/// that with the most files.
fn folder_of_most(sources: &Sources<'_>, above: &str, inner: &str) -> Option<String> {
    let names = sources.files.list(above).into_iter();
    let names = names.filter_map(|name| name.strip_suffix('/').map(str::to_owned));
    let folders = names.map(|name| join_path(&join_path(above, &name), inner));
    let count = |folder: &String| sources.files.list(folder).len();
    folders
        .filter(|folder| count(folder) > 0)
        .max_by_key(|folder| count(folder))
}

/// Returns the folder of the Linux system with the most hosts, where a folder has one for each
/// system.
pub(super) fn folder_of_system(sources: &Sources<'_>, folder: &str) -> String {
    let names = sources.files.list(folder);
    let systems = names
        .iter()
        .filter_map(|name| name.strip_suffix('/'))
        .filter(|name| {
            let system = name
                .strip_suffix("-nixos")
                .map(|machine| format!("{machine}-linux"));
            is_system(system.as_deref().unwrap_or(name)) && !name.ends_with("darwin")
        });
    systems
        .map(|system| join_path(folder, system))
        .max_by_key(|folder| sources.files.list(folder).len())
        .unwrap_or_else(|| folder.to_owned())
}

/// Returns the path that a variable of the file has: `hostsDir` with `hostsDir = ./hosts`.
pub(super) fn path_of_variable(argument: &ast::Expr) -> Option<ast::Expr> {
    let ast::Expr::Ident(variable) = argument else {
        return None;
    };
    let name = variable.to_string();
    let Binding::Entry(scope) = resolve_variable(&name, &untyped(variable)) else {
        return None;
    };
    value_of(&scope, &name).filter(|value| matches!(value, ast::Expr::PathRel(_)))
}

/// Returns whether a path is in a folder of other things than hosts.
pub(super) fn is_folder_of_others(file: &str) -> bool {
    const NAMES: [&str; 15] = [
        "common",
        "profiles",
        "shared",
        "lib",
        "libs",
        "modules",
        "module",
        "overlays",
        "pkgs",
        "packages",
        "home",
        "users",
        "flake",
        "devshell",
        "templates",
    ];
    let folder = file.split("{}").next().unwrap_or_default();
    folder.split('/').any(|part| NAMES.contains(&part))
}
