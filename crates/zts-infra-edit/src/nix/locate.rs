//! Locates an output of a flake that has hosts: the hosts, and the set for a new one.

use rnix::SyntaxNode;
use rnix::ast;

use super::call::{HostsArgument, function_name, hosts_argument, setting_of_hosts};
use super::context::{Context, in_file};
use super::expression::{
    call_parts, function_body, function_text, inner_expression, mentions_name, update_operands,
};
use super::files::SourceFile;
use super::flake_hosts::{FirstHostSet, FlakeHosts};
use super::flake_parts::flake_parts_module;
use super::module::{imported_modules, search_module};
use super::parse::{cast, untyped};
use super::scope::{has_entry, value_of};
use super::search::{search_entries, search_expression, search_sets};

/// The output with the hosts.
pub(super) const CONFIGURATIONS: &str = "nixosConfigurations";

/// Locates the hosts in the output at the path `output` of a flake, or of a module of flake-parts.
pub(super) fn locate_hosts(file: &SourceFile, output: &[&str], context: Context<'_>) -> FlakeHosts {
    let root = &file.root;
    let Some(flake) = cast::<ast::Root>(root)
        .and_then(|root| root.expr())
        .map(|flake| inner_expression(&flake))
    else {
        return FlakeHosts::not_a_flake(root, "the file has no expression");
    };
    match value_of(&untyped(&flake), "outputs") {
        Some(outputs) => search_outputs(&outputs, output, context),
        None => search_module_file(&flake, output, context),
    }
}

/// Searches a file that a flake of flake-parts imports: `{ inputs, ... }: {
/// flake.nixosConfigurations = …; }`. It must set `flake`, because otherwise any NixOS module looks
/// the same.
fn search_module_file(file: &ast::Expr, output: &[&str], context: Context<'_>) -> FlakeHosts {
    let module = untyped(&function_body(file));
    if has_entry(&module, "flake") {
        return search_flake_parts(file, output, context);
    }
    let reason =
        "this is neither a flake, with `outputs`, nor a module of flake-parts, with `flake`";
    FlakeHosts::not_a_flake(&untyped(file), reason)
}

/// Searches the result of the function `outputs`.
fn search_outputs(outputs: &ast::Expr, output: &[&str], context: Context<'_>) -> FlakeHosts {
    let body = function_body(outputs);
    let here = untyped(&body);
    let obstacle = |reason: String| FlakeHosts::with_obstacle(&here, output, reason);
    if let Some((left, right)) = update_operands(&body) {
        return search_union(&left, &right, output, context);
    }
    match &body {
        ast::Expr::AttrSet(_) => search_output_set(&here, output, &[], context),
        ast::Expr::Ident(variable) => {
            let found = search_expression(&body, output, context);
            if found.is_empty() {
                obstacle(format!("the outputs come from `{variable}`"))
            } else {
                found
            }
        }
        // `(evalFlakeModule { … } module).config.flake`
        ast::Expr::Select(select) => select
            .expr()
            .and_then(|call| match inner_expression(&call) {
                ast::Expr::Apply(call) => flake_parts_module(&call),
                _ => None,
            })
            .map_or_else(
                || obstacle(format!("the outputs come from `{select}`")),
                |module| search_flake_parts(&module, output, context),
            ),
        ast::Expr::Apply(call) => search_call(call, output, context).unwrap_or_else(|| {
            obstacle(format!(
                "the outputs are computed by `{}`",
                function_text(call)
            ))
        }),
        _ => obstacle("the outputs are computed, not written as a set".to_owned()),
    }
}

/// Searches a call that makes the outputs; `None` if its function is not known.
fn search_call(call: &ast::Apply, output: &[&str], context: Context<'_>) -> Option<FlakeHosts> {
    if let Some(module) = flake_parts_module(call) {
        return Some(search_flake_parts(&module, output, context));
    }
    if let Some(outputs) = outputs_of_system(call) {
        let found = search_outputs(&outputs, &[&["packages"], output].concat(), context);
        let has_hosts = !found.hosts.is_empty();
        return Some(found)
            .filter(|_| has_hosts)
            .or(Some(FlakeHosts::default()));
    }
    match hosts_argument(call, false) {
        HostsArgument::Import(file) => in_file(&file, output, context, |expression, context| {
            search_outputs(expression, output, context)
        }),
        HostsArgument::Union(left, right) => Some(search_union(&left, &right, output, context)),
        HostsArgument::Merged(list) => Some(search_sets(&list, output, context)),
        HostsArgument::Same(value) => Some(search_outputs(&value, output, context)),
        HostsArgument::Set(_) | HostsArgument::List(_) | HostsArgument::None => {
            search_settings(call, output, context)
                .or_else(|| search_files_of_call(call, output, context))
        }
    }
}

/// Searches the file with `outputs` that a function of another flake gets: `generate ./outputs.nix
/// inputs`.
fn search_files_of_call(
    call: &ast::Apply,
    output: &[&str],
    context: Context<'_>,
) -> Option<FlakeHosts> {
    let search = |expression: &ast::Expr, context: Context<'_>| {
        let flake = untyped(&inner_expression(expression));
        let outputs = value_of(&flake, "outputs");
        outputs.map_or_else(FlakeHosts::default, |outputs| {
            search_outputs(&outputs, output, context)
        })
    };
    let arguments = call_parts(call).1.into_iter();
    let mut found = arguments.filter_map(|file| in_file(&file, output, context, search));
    found.find(|found| !found.hosts.is_empty())
}

/// Returns the function in `eachDefaultSystem (system: …)` of flake-utils. Its hosts are in
/// `packages`, where `nixos-rebuild` finds them, too.
fn outputs_of_system(call: &ast::Apply) -> Option<ast::Expr> {
    const FUNCTIONS: [&str; 3] = ["eachDefaultSystem", "eachSystem", "eachDefaultSystemMap"];
    let (function, arguments) = call_parts(call);
    let name = function_name(&function)?;
    arguments
        .last()
        .cloned()
        .filter(|_| FUNCTIONS.contains(&name.as_str()))
}

/// Searches `mkFlake { hosts = { … }; }` of flake-utils-plus, and the same setting of a fleet's own
/// function. Other outputs may be beside `hosts`.
fn search_settings(call: &ast::Apply, output: &[&str], context: Context<'_>) -> Option<FlakeHosts> {
    let (function, arguments) = call_parts(call);
    let is_known = function_name(&function)?.starts_with("mkFlake");
    let ast::Expr::AttrSet(settings) = inner_expression(arguments.last()?) else {
        return None;
    };
    let set = untyped(&settings);
    let mut found = FlakeHosts::default();
    if is_known {
        found = search_entries(&set, output, context);
    }
    let hosts = setting_of_hosts(&settings);
    let hosts = hosts.filter(|_| output == [CONFIGURATIONS] && found.sets.is_empty());
    if let Some(hosts) = hosts {
        found.append(search_entries(&set, &[&hosts], context).into_argument());
    }
    (is_known || !found.hosts.is_empty())
        .then_some(found)
        .filter(|found| !found.is_empty())
}

/// Searches both sides of `//` between sets of outputs. The right one wins if it has hosts.
fn search_union(
    left: &ast::Expr,
    right: &ast::Expr,
    output: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    let [mut on_left, on_right] = [left, right].map(|side| search_outputs(side, output, context));
    let has_hosts = |found: &FlakeHosts, side: &ast::Expr| {
        let is_named = || mentions_name(&untyped(side), output[output.len() - 1]);
        !found.sets.is_empty() || (!found.obstacles.is_empty() && is_named())
    };
    if has_hosts(&on_right, right) {
        return on_right;
    }
    if has_hosts(&on_left, left) {
        return on_left;
    }
    // Next to a computed side, a first host could hide others or be hidden: only literal sets can
    // take it.
    if on_left.obstacles.is_empty() {
        return on_right;
    }
    on_left.first_host_set = None;
    on_left
}

/// Searches a literal set with the output behind `prefix`.
fn search_output_set(
    set: &SyntaxNode,
    output: &[&str],
    prefix: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    let path = [prefix, output].concat();
    let mut found = search_entries(set, &path, context);
    if found.is_empty() {
        found.first_host_set = Some(FirstHostSet {
            container: set.clone(),
            prefix: format!("{}.", path.join(".")),
        });
    }
    found
}

/// Searches a module of flake-parts, whose option `flake` has the outputs, and the modules that it
/// imports.
fn search_flake_parts(module: &ast::Expr, output: &[&str], context: Context<'_>) -> FlakeHosts {
    let found = search_module(module, output, context);
    let set = untyped(&function_body(module));
    if !found.is_empty() || !matches!(function_body(module), ast::Expr::AttrSet(_)) {
        return found;
    }
    let path = [&["flake"], output].concat();
    if imported_modules(&set)
        .iter()
        .any(|module| !module.is_known(context))
    {
        let reason = "the hosts may be in one of the `imports`";
        return FlakeHosts::with_obstacle(&set, &path, reason);
    }
    let flake = search_entries(&set, &["flake"], context);
    match flake.sets.iter().find(|set| !set.is_dotted()) {
        Some(inner) => FlakeHosts {
            first_host_set: Some(FirstHostSet {
                container: inner.container.clone(),
                prefix: format!("{}.", output.join(".")),
            }),
            ..FlakeHosts::default()
        },
        None if flake.obstacles.is_empty() => search_output_set(&set, output, &["flake"], context),
        None => FlakeHosts {
            hosts: Vec::new(),
            ..flake
        },
    }
}
