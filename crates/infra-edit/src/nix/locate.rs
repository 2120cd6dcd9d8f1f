//! Finds `nixosConfigurations` in a flake: where hosts stand, and where one more can go.

use rnix::SyntaxNode;
use rnix::ast;

use super::expression::{self, function_body, mentions, peel, update};
use super::found::{Found, Opening};
use super::parse::{cast, node};
use super::scope;
use super::search::{search, search_entries};

/// The output that holds the hosts.
pub(super) const CONFIGURATIONS: &str = "nixosConfigurations";

/// Reads the flake whose root is given.
pub(super) fn locate(root: &SyntaxNode) -> Found {
    let Some(flake) = cast::<ast::Root>(root)
        .and_then(|root| root.expr())
        .map(|flake| peel(&flake))
    else {
        return Found::no_flake(root, "the file holds no expression");
    };
    let outputs = scope::entries(&node(&flake))
        .into_iter()
        .find_map(|entry| match entry {
            ast::Entry::AttrpathValue(entry) => {
                let path = scope::path(&entry);
                let is_outputs = path.len() == 1 && path[0].0.as_deref() == Some("outputs");
                entry.value().filter(|_| is_outputs)
            }
            ast::Entry::Inherit(_) => None,
        });
    match outputs {
        Some(outputs) => in_outputs(&outputs),
        None => in_module_file(&flake),
    }
}

/// A file that a flake of flake-parts imports: `{ inputs, ... }: { flake.nixosConfigurations = …; }`. Only one that sets
/// `flake` already is taken for one: any NixOS module looks the same otherwise.
fn in_module_file(file: &ast::Expr) -> Found {
    let module = node(&function_body(file));
    if scope::defines(&module, "flake") {
        return in_flake_parts(&module);
    }
    let what = "this is neither a flake, with `outputs`, nor a module of flake-parts, with `flake`";
    Found::no_flake(&node(file), what)
}

/// Looks through what the function `outputs` gives.
fn in_outputs(outputs: &ast::Expr) -> Found {
    let body = function_body(outputs);
    let here = node(&body);
    let obstacle = |what: String| Found::obstacle(&here, &[CONFIGURATIONS], what);
    if let Some((left, right)) = update(&body) {
        return in_union(&left, &right);
    }
    match &body {
        ast::Expr::AttrSet(_) => in_set(&here, &[CONFIGURATIONS]),
        ast::Expr::Ident(variable) => {
            let found = search(&body, &[CONFIGURATIONS], None);
            if found.is_empty() {
                obstacle(format!("the outputs come from `{variable}`"))
            } else {
                found
            }
        }
        ast::Expr::Apply(call) => {
            match expression::flake_parts_module(call).map(|module| function_body(&module)) {
                Some(module @ ast::Expr::AttrSet(_)) => in_flake_parts(&node(&module)),
                _ => obstacle(format!(
                    "the outputs are computed by `{}`",
                    expression::function_text(call)
                )),
            }
        }
        _ => obstacle("the outputs are computed, not written as a set".to_owned()),
    }
}

/// Of two sets of outputs, the right one wins if it has the hosts.
fn in_union(left: &ast::Expr, right: &ast::Expr) -> Found {
    let [mut on_left, on_right] = [left, right].map(in_outputs);
    let says = |found: &Found, side: &ast::Expr| {
        !found.sites.is_empty()
            || (!found.obstacles.is_empty() && mentions(&node(side), CONFIGURATIONS))
    };
    if says(&on_right, right) {
        return on_right;
    }
    if says(&on_left, left) {
        return on_left;
    }
    // A first host may shadow, or be shadowed by, what a computed side makes: only written sets can take it.
    if on_left.obstacles.is_empty() {
        return on_right;
    }
    on_left.opening = None;
    on_left
}

/// The set of outputs itself.
fn in_set(set: &SyntaxNode, path: &[&str]) -> Found {
    let mut found = search_entries(set, path, None);
    if found.is_empty() {
        found.opening = Some(Opening {
            container: set.clone(),
            prefix: format!("{}.", path.join(".")),
        });
    }
    found
}

/// A module of flake-parts, whose option `flake` holds the outputs.
fn in_flake_parts(module: &SyntaxNode) -> Found {
    let path = ["flake", CONFIGURATIONS];
    let found = in_set(module, &path);
    if found.opening.is_none() {
        return found;
    }
    if scope::defines(module, "imports") {
        return Found::obstacle(module, &path, "the hosts may stand in one of the `imports`");
    }
    let flake = search_entries(module, &["flake"], None);
    let Some(set) = flake.sites.iter().find(|site| !site.dotted) else {
        return if flake.obstacles.is_empty() {
            found
        } else {
            Found {
                hosts: Vec::new(),
                ..flake
            }
        };
    };
    let opening = Opening {
        container: set.container.clone(),
        prefix: format!("{CONFIGURATIONS}."),
    };
    Found {
        opening: Some(opening),
        ..Found::default()
    }
}
