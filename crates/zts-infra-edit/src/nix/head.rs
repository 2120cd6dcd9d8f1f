//! The functions that the files of hosts are.

use rnix::ast;

use super::call::function_name;
use super::expression::{call_parts, inner_expression};
use super::name::attribute_name;
use super::parse::{cast, parse_source, untyped};
use super::scope::list_entries;

/// The arguments of the functions that a source is, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The text, such as `{ inputs }: { pkgs, ... }:`.
    pub text: String,
    /// True if a module of NixOS can have these arguments: one set with `...`.
    pub is_of_module: bool,
}

/// Reads the arguments of a source; `None` if it is no function.
#[must_use]
pub fn read_head(source: &str) -> Option<Head> {
    let mut inner = cast::<ast::Root>(&parse_source(source).ok()?)?.expr()?;
    let mut arguments = Vec::new();
    let mut has_rest = false;
    loop {
        while let ast::Expr::Paren(paren) = &inner {
            inner = paren.expr()?;
        }
        let ast::Expr::Lambda(lambda) = &inner else {
            break;
        };
        let argument = lambda.param()?;
        has_rest = matches!(&argument, ast::Param::Pattern(set) if set.ellipsis_token().is_some());
        arguments.push(format!("{}:", untyped(&argument)));
        inner = lambda.body()?;
    }
    (!arguments.is_empty()).then(|| Head {
        text: arguments.join("\n"),
        is_of_module: has_rest && arguments.len() == 1,
    })
}

/// Returns the relative paths of the files that a source calls as functions: `./web01` of `import
/// ./web01 { … }`.
#[must_use]
pub fn called_files(source: &str) -> Vec<String> {
    let Ok(root) = parse_source(source) else {
        return Vec::new();
    };
    let calls = root
        .descendants()
        .filter_map(|node| cast::<ast::Apply>(&node));
    let path = |call: ast::Apply| {
        let (function, arguments) = call_parts(&call);
        let is_import = function_name(&function).is_some_and(|name| name.starts_with("import"));
        match arguments.as_slice() {
            [ast::Expr::PathRel(path), _, ..] if is_import => Some(path.to_string()),
            _ => None,
        }
    };
    calls.filter_map(path).collect()
}

/// Returns the paths of the attributes in the set that a source is or that its functions return,
/// those of inner sets, too.
#[must_use]
pub fn attribute_paths(source: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let root = parse_source(source).ok();
    let root = root.and_then(|root| cast::<ast::Root>(&root)?.expr());
    if let Some(expression) = root {
        collect_attributes(
            &super::expression::function_body(&expression),
            "",
            &mut paths,
        );
    }
    paths
}

fn collect_attributes(set: &ast::Expr, prefix: &str, paths: &mut Vec<String>) {
    let ast::Expr::AttrSet(set) = inner_expression(set) else {
        return;
    };
    for entry in list_entries(&untyped(&set)) {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                let mut path = prefix.to_owned();
                let names = entry.attrpath().into_iter().flat_map(|path| path.attrs());
                for name in names.map_while(|name| attribute_name(&name)) {
                    path.push_str(&name);
                    paths.push(path.clone());
                    path.push('.');
                }
                if let Some(value) = entry.value() {
                    collect_attributes(&value, &path, paths);
                }
            }
            ast::Entry::Inherit(inherit) => {
                let names = inherit.attrs().filter_map(|name| attribute_name(&name));
                paths.extend(names.map(|name| format!("{prefix}{name}")));
            }
        }
    }
}
