//! The imports that the modules of most hosts have.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{abstract_tokens, render_node};
use super::expression::{concatenated_lists, function_body};
use super::head::read_head;
use super::module::values_of_imports;
use super::parse::{cast, parse_source, untyped};
use super::scope::{Binding, resolve_variable};

/// An element of `imports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonImport {
    /// The expression, such as `../common` or `inputs.disko.nixosModules.disko`.
    pub text: String,
    /// True for a literal relative path.
    pub is_path: bool,
    /// The arguments of the module that it needs.
    pub arguments: Vec<String>,
}

/// An element with its tokens, without the name of its host.
struct Element {
    form: Vec<String>,
    import: CommonImport,
}

/// Returns the imports that more than half of the modules have: pairs of a host and the text of its
/// module. `host` is the new one. An import with a variable of the file is left out.
#[must_use]
pub fn common_imports(modules: &[(&str, &str)], host: &str) -> Vec<CommonImport> {
    let lists: Vec<Vec<Element>> = modules
        .iter()
        .map(|(name, text)| list_imports(text, name, host))
        .collect();
    let is_common = |element: &&Element| {
        let has = |list: &&Vec<Element>| list.iter().any(|other| other.form == element.form);
        lists.len() > 1 && lists.iter().filter(has).count() * 2 > lists.len()
    };
    let common = |list: &Vec<Element>| -> Vec<CommonImport> {
        let elements = list.iter().filter(is_common);
        elements.map(|element| element.import.clone()).collect()
    };
    let found = lists.iter().rev().map(common);
    let mut imports = found.max_by_key(Vec::len).unwrap_or_default();
    imports.dedup();
    imports
}

/// Lists the imports of a module that another one can have.
fn list_imports(text: &str, name: &str, host: &str) -> Vec<Element> {
    let Ok(root) = parse_source(text) else {
        return Vec::new();
    };
    let Some(expression) = cast::<ast::Root>(&root).and_then(|root| root.expr()) else {
        return Vec::new();
    };
    let has_arguments = read_head(text).is_some_and(|head| head.is_of_module);
    let mut items = Vec::new();
    for value in values_of_imports(&untyped(&function_body(&expression))) {
        collect_items(&value, &mut items);
    }
    let read = |item: &SyntaxNode| read_import(item, name, host);
    let elements = items.iter().filter_map(read);
    elements
        .filter(|element| has_arguments || element.import.arguments.is_empty())
        .collect()
}

/// Collects the elements of a list, and those of the lists that are added to it.
fn collect_items(value: &ast::Expr, items: &mut Vec<SyntaxNode>) {
    if let Some((left, right)) = concatenated_lists(value) {
        collect_items(&left, items);
        collect_items(&right, items);
    } else if let ast::Expr::List(list) = value {
        items.extend(list.items().map(|item| untyped(&item)));
    } else if let ast::Expr::Paren(paren) = value
        && let Some(inner) = paren.expr()
    {
        collect_items(&inner, items);
    }
}

/// Reads an element on one line: a path, a string, or an attribute of an argument.
fn read_import(item: &SyntaxNode, name: &str, host: &str) -> Option<Element> {
    const PLAIN: [SyntaxKind; 4] = [
        SyntaxKind::NODE_PATH_REL,
        SyntaxKind::NODE_SELECT,
        SyntaxKind::NODE_STRING,
        SyntaxKind::NODE_PAREN,
    ];
    const OWN: [SyntaxKind; 4] = [
        SyntaxKind::NODE_ATTR_SET,
        SyntaxKind::NODE_LAMBDA,
        SyntaxKind::NODE_LET_IN,
        SyntaxKind::NODE_WITH,
    ];
    let is_own = item.descendants().any(|node| OWN.contains(&node.kind()));
    if !PLAIN.contains(&item.kind()) || is_own {
        return None;
    }
    let text = render_node(item, &[], (name, host), "");
    let is_path = item.kind() == SyntaxKind::NODE_PATH_REL && item.children().next().is_none();
    let arguments = list_arguments(item)?;
    (!text.contains('\n')).then(|| Element {
        form: abstract_tokens(item, name),
        import: CommonImport {
            text,
            is_path,
            arguments,
        },
    })
}

/// Returns the arguments of the module that an expression needs; `None` if it needs more.
fn list_arguments(item: &SyntaxNode) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let variables = item.descendants().filter(|node| {
        let parent = node.parent().map(|parent| parent.kind());
        node.kind() == SyntaxKind::NODE_IDENT && parent != Some(SyntaxKind::NODE_ATTRPATH)
    });
    for variable in variables {
        let name = variable.to_string();
        match resolve_variable(&name, &variable) {
            Binding::Argument if !arguments.contains(&name) => arguments.push(name),
            Binding::Argument => {}
            Binding::Unknown if name == "builtins" || name == "toString" => {}
            Binding::Entry(_) | Binding::Unknown => return None,
        }
    }
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_most_hosts_are_common() {
        let modules = [
            (
                "heath",
                "{ inputs, config, ... }: { imports = [ ./hardware.nix ../common inputs.disko.nixosModules.disko ./web.nix ]; }",
            ),
            (
                "stork",
                "{ inputs, lib, ... }: let x = ../x; in { imports = [ ./hardware.nix ../common x ] ++ [ inputs.disko.nixosModules.disko ]; }",
            ),
            ("sable", "{ imports = [ ../common (import ./x { }) ]; }"),
        ];
        let found = common_imports(&modules, "web01");
        let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "./hardware.nix",
                "../common",
                "inputs.disko.nixosModules.disko"
            ]
        );
        assert_eq!(found[2].arguments, ["inputs"]);
        assert!(found[0].is_path && !found[2].is_path);
        assert_eq!(common_imports(&modules[..1], "web01"), []);
    }

    #[test]
    fn imports_name_the_new_host() {
        let module = |name: &str| format!("{{ imports = [ ./hardware/{name}.nix ]; }}");
        let (heath, stork) = (module("heath"), module("stork"));
        let modules = [("heath", heath.as_str()), ("stork", stork.as_str())];
        let found = common_imports(&modules, "web01");
        assert_eq!(found[0].text, "./hardware/web01.nix");
    }
}
