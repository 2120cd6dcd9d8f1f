//! Locates `nixosConfigurations` in a flake: the hosts, and the set for a new one.

use rnix::SyntaxNode;
use rnix::ast;

use super::expression::{
    flake_parts_module, function_body, function_text, inner_expression, mentions_name,
    update_operands,
};
use super::flake_hosts::{FirstHostSet, FlakeHosts};
use super::parse::{cast, untyped};
use super::scope::{entry_path, has_entry, list_entries};
use super::search::{search_entries, search_expression};

/// The output with the hosts.
pub(super) const CONFIGURATIONS: &str = "nixosConfigurations";

/// Locates the hosts of the flake with this root.
pub(super) fn locate_hosts(root: &SyntaxNode) -> FlakeHosts {
    let Some(flake) = cast::<ast::Root>(root)
        .and_then(|root| root.expr())
        .map(|flake| inner_expression(&flake))
    else {
        return FlakeHosts::not_a_flake(root, "the file has no expression");
    };
    let outputs = list_entries(&untyped(&flake))
        .into_iter()
        .find_map(|entry| match entry {
            ast::Entry::AttrpathValue(entry) => {
                let path = entry_path(&entry);
                let is_outputs = path.len() == 1 && path[0].0.as_deref() == Some("outputs");
                entry.value().filter(|_| is_outputs)
            }
            ast::Entry::Inherit(_) => None,
        });
    match outputs {
        Some(outputs) => search_outputs(&outputs),
        None => search_module_file(&flake),
    }
}

/// Searches a file that a flake of flake-parts imports: `{ inputs, ... }: {
/// flake.nixosConfigurations = …; }`. It must set `flake`, because otherwise any NixOS module looks
/// the same.
fn search_module_file(file: &ast::Expr) -> FlakeHosts {
    let module = untyped(&function_body(file));
    if has_entry(&module, "flake") {
        return search_flake_parts(&module);
    }
    let reason =
        "this is neither a flake, with `outputs`, nor a module of flake-parts, with `flake`";
    FlakeHosts::not_a_flake(&untyped(file), reason)
}

/// Searches the result of the function `outputs`.
fn search_outputs(outputs: &ast::Expr) -> FlakeHosts {
    let body = function_body(outputs);
    let here = untyped(&body);
    let obstacle = |reason: String| FlakeHosts::with_obstacle(&here, &[CONFIGURATIONS], reason);
    if let Some((left, right)) = update_operands(&body) {
        return search_union(&left, &right);
    }
    match &body {
        ast::Expr::AttrSet(_) => search_output_set(&here, &[CONFIGURATIONS]),
        ast::Expr::Ident(variable) => {
            let found = search_expression(&body, &[CONFIGURATIONS], None);
            if found.is_empty() {
                obstacle(format!("the outputs come from `{variable}`"))
            } else {
                found
            }
        }
        ast::Expr::Apply(call) => {
            match flake_parts_module(call).map(|module| function_body(&module)) {
                Some(module @ ast::Expr::AttrSet(_)) => search_flake_parts(&untyped(&module)),
                _ => obstacle(format!(
                    "the outputs are computed by `{}`",
                    function_text(call)
                )),
            }
        }
        _ => obstacle("the outputs are computed, not written as a set".to_owned()),
    }
}

/// Searches both sides of `//` between sets of outputs. The right one wins if it has hosts.
fn search_union(left: &ast::Expr, right: &ast::Expr) -> FlakeHosts {
    let [mut on_left, on_right] = [left, right].map(search_outputs);
    let has_hosts = |found: &FlakeHosts, side: &ast::Expr| {
        !found.sets.is_empty()
            || (!found.obstacles.is_empty() && mentions_name(&untyped(side), CONFIGURATIONS))
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

/// Searches a literal set of outputs.
fn search_output_set(set: &SyntaxNode, path: &[&str]) -> FlakeHosts {
    let mut found = search_entries(set, path, None);
    if found.is_empty() {
        found.first_host_set = Some(FirstHostSet {
            container: set.clone(),
            prefix: format!("{}.", path.join(".")),
        });
    }
    found
}

/// Searches a module of flake-parts, whose option `flake` has the outputs.
fn search_flake_parts(module: &SyntaxNode) -> FlakeHosts {
    let path = ["flake", CONFIGURATIONS];
    let found = search_output_set(module, &path);
    if found.first_host_set.is_none() {
        return found;
    }
    if has_entry(module, "imports") {
        return FlakeHosts::with_obstacle(
            module,
            &path,
            "the hosts may be in one of the `imports`",
        );
    }
    let flake = search_entries(module, &["flake"], None);
    let Some(set) = flake.sets.iter().find(|set| !set.dotted) else {
        return if flake.obstacles.is_empty() {
            found
        } else {
            FlakeHosts {
                hosts: Vec::new(),
                ..flake
            }
        };
    };
    let first_host_set = FirstHostSet {
        container: set.container.clone(),
        prefix: format!("{CONFIGURATIONS}."),
    };
    FlakeHosts {
        first_host_set: Some(first_host_set),
        ..FlakeHosts::default()
    }
}
