//! The definitions of variables in the file.

use rnix::SyntaxNode;
use rnix::ast::{self, HasEntry};

use super::expression::{call_parts, function_body, inner_expression};
use super::name::{attribute_name, is_system};
use super::parse::{cast, untyped};

/// The definition of a variable.
pub(super) enum Binding {
    /// An entry of this `let` or `rec` set.
    Entry(SyntaxNode),
    /// The argument of a function, known only in a call.
    Argument,
    /// A definition outside of the file.
    Unknown,
}

/// Resolves `variable` at `place`, in the same order as Nix.
pub(super) fn resolve_variable(variable: &str, place: &SyntaxNode) -> Binding {
    for ancestor in place.ancestors() {
        if defines_variable(&ancestor, variable) {
            return Binding::Entry(ancestor);
        }
        let lambda = cast::<ast::Lambda>(&ancestor);
        if lambda
            .and_then(|lambda| lambda.param())
            .is_some_and(|param| binds_name(&param, variable))
        {
            return Binding::Argument;
        }
    }
    Binding::Unknown
}

fn defines_variable(scope: &SyntaxNode, variable: &str) -> bool {
    let recursive = cast::<ast::AttrSet>(scope).is_some_and(|set| set.rec_token().is_some());
    if !recursive && cast::<ast::LetIn>(scope).is_none() && cast::<ast::LegacyLet>(scope).is_none()
    {
        return false;
    }
    has_entry(scope, variable)
}

/// Returns whether a set or `let` has an entry whose path begins with `name`, or inherits it.
pub(super) fn has_entry(container: &SyntaxNode, name: &str) -> bool {
    list_entries(container)
        .into_iter()
        .any(|entry| match entry {
            ast::Entry::AttrpathValue(entry) => entry_path(&entry)
                .first()
                .is_some_and(|(first, _)| first.as_deref() == Some(name)),
            ast::Entry::Inherit(inherit) => inherit
                .attrs()
                .any(|attribute| attribute_name(&attribute).as_deref() == Some(name)),
        })
}

fn binds_name(param: &ast::Param, variable: &str) -> bool {
    let is = |identifier: Option<ast::Ident>| {
        identifier.is_some_and(|identifier| identifier.to_string() == variable)
    };
    match param {
        ast::Param::IdentParam(param) => is(param.ident()),
        ast::Param::Pattern(pattern) => {
            is(pattern.pat_bind().and_then(|bind| bind.ident()))
                || pattern.pat_entries().any(|entry| is(entry.ident()))
        }
    }
}

/// Returns the default of an argument: `import ./hosts.nix` of `{ hosts ? import ./hosts.nix }`.
pub(super) fn default_of(argument: &str, place: &SyntaxNode) -> Option<ast::Expr> {
    let lambdas = place
        .ancestors()
        .filter_map(|node| cast::<ast::Lambda>(&node));
    let mut bound =
        lambdas.filter_map(|lambda| lambda.param().filter(|one| binds_name(one, argument)));
    let ast::Param::Pattern(pattern) = bound.next()? else {
        return None;
    };
    let mut entries = pattern.pat_entries();
    let is_it = |entry: &ast::PatEntry| {
        entry
            .ident()
            .is_some_and(|name| name.to_string() == argument)
    };
    entries.find(is_it)?.default()
}

/// Returns the value of a variable in a `let` or `rec` set.
pub(super) fn value_of(scope: &SyntaxNode, name: &str) -> Option<ast::Expr> {
    list_entries(scope).into_iter().find_map(|entry| {
        let ast::Entry::AttrpathValue(entry) = entry else {
            return None;
        };
        let path = entry_path(&entry);
        let is_it = path.len() == 1 && path[0].0.as_deref() == Some(name);
        entry.value().filter(|_| is_it)
    })
}

/// Returns the entries of a set or `let`, in the order of the file.
pub(super) fn list_entries(container: &SyntaxNode) -> Vec<ast::Entry> {
    if let Some(set) = cast::<ast::AttrSet>(container) {
        set.entries().collect()
    } else if let Some(let_in) = cast::<ast::LetIn>(container) {
        let_in.entries().collect()
    } else {
        cast::<ast::LegacyLet>(container).map_or_else(Vec::new, |old| old.entries().collect())
    }
}

/// Returns the names and the attributes of an entry's path, in order.
pub(super) fn entry_path(entry: &ast::AttrpathValue) -> Vec<(Option<String>, SyntaxNode)> {
    let attributes = entry.attrpath().into_iter().flat_map(|path| path.attrs());
    attributes
        .map(|attribute| (attribute_name(&attribute), untyped(&attribute)))
        .collect()
}

/// Returns whether most names in a set are those of systems. A host may have the name of its own.
pub(super) fn is_of_systems(container: &SyntaxNode) -> bool {
    let entries = list_entries(container);
    let is_named = |entry: &&ast::Entry| match entry {
        ast::Entry::AttrpathValue(entry) => {
            let path = entry_path(entry);
            let first = path.first().and_then(|(name, _)| name.as_deref());
            first.is_some_and(is_system)
        }
        ast::Entry::Inherit(_) => false,
    };
    entries.iter().filter(is_named).count() * 2 > entries.len()
}

/// Returns the set that a function of the same file returns, if a call is one of it.
pub(super) fn set_of_function(call: &ast::Apply) -> Option<ast::Expr> {
    let ast::Expr::Ident(variable) = call_parts(call).0 else {
        return None;
    };
    let name = variable.to_string();
    let Binding::Entry(scope) = resolve_variable(&name, &untyped(&variable)) else {
        return None;
    };
    let function = inner_expression(&value_of(&scope, &name)?);
    let body = function_body(&function);
    let is_set = matches!(body, ast::Expr::AttrSet(_));
    (is_set && matches!(function, ast::Expr::Lambda(_))).then_some(body)
}
