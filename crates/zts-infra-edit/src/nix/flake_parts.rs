//! The calls of flake-parts' `mkFlake`.

use rnix::SyntaxNode;
use rnix::ast::{self, HasEntry};

use super::call::function_name;
use super::expression::{call_parts, inner_expression, literal_string};
use super::name::attribute_name;
use super::parse::{cast, untyped};
use super::scope::{Binding, list_entries, resolve_variable};

/// The name of the project, in the addresses of inputs and in its own examples.
const PROJECT: &str = "flake-parts";

/// Returns the module in a call `flake-parts.lib.mkFlake { … } module`. The functions of this name
/// of other projects take other arguments.
pub(super) fn flake_parts_module(call: &ast::Apply) -> Option<ast::Expr> {
    let (function, arguments) = call_parts(call);
    let [_, module] = arguments.as_slice() else {
        return None;
    };
    let is_make_flake = matches!(
        function_name(&function).as_deref(),
        Some("mkFlake" | "evalFlakeModule")
    );
    (is_make_flake && is_of_flake_parts(&function)).then(|| module.clone())
}

fn is_of_flake_parts(function: &ast::Expr) -> bool {
    let node = untyped(function);
    let inputs = input_names(&node);
    let names = |text: &str| {
        let mut words = text.split(|letter: char| !is_letter_of_name(letter));
        words.any(|word| word == PROJECT || inputs.iter().any(|input| input == word))
    };
    let ast::Expr::Ident(variable) = function else {
        return names(&node.to_string());
    };
    let variable = variable.to_string();
    match resolve_variable(&variable, &node) {
        Binding::Entry(scope) => list_entries(&scope).iter().any(|entry| {
            let text = untyped(entry).to_string();
            text.contains(&variable) && names(&text)
        }),
        Binding::Argument => false,
        Binding::Unknown => node
            .ancestors()
            .filter_map(|ancestor| cast::<ast::With>(&ancestor))
            .filter_map(|with| with.namespace())
            .any(|namespace| names(&namespace.to_string())),
    }
}

fn is_letter_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || "_-'".contains(letter)
}

/// Returns the names of the flake's inputs whose address names the project.
fn input_names(node: &SyntaxNode) -> Vec<String> {
    let root = node.ancestors().last();
    let flake = root
        .and_then(|root| cast::<ast::Root>(&root))
        .and_then(|root| root.expr())
        .map(|flake| inner_expression(&flake));
    let Some(ast::Expr::AttrSet(flake)) = flake else {
        return Vec::new();
    };
    let mut names = Vec::new();
    collect_inputs(&flake, &[], &mut names);
    names
}

/// Collects the inputs in `inputs = { … }` and `inputs.<name>.url`, at any depth of dots.
fn collect_inputs(set: &ast::AttrSet, outer: &[String], names: &mut Vec<String>) {
    for entry in set.attrpath_values() {
        let attributes = entry.attrpath().into_iter().flat_map(|path| path.attrs());
        let path: Vec<String> = outer
            .iter()
            .cloned()
            .chain(attributes.filter_map(|attribute| attribute_name(&attribute)))
            .collect();
        if path.first().is_none_or(|first| first != "inputs") || path.len() > 3 {
            continue;
        }
        match (entry.value(), path.as_slice()) {
            (Some(ast::Expr::AttrSet(inner)), _) => collect_inputs(&inner, &path, names),
            (Some(ast::Expr::Str(address)), [_, name, key])
                if key == "url"
                    && literal_string(&address).is_some_and(|text| text.contains(PROJECT)) =>
            {
                names.push(name.clone());
            }
            _ => {}
        }
    }
}
