//! What a variable stands for, where the file itself says so.

use rnix::SyntaxNode;
use rnix::ast::{self, HasEntry};

use super::name;
use super::parse::{cast, node};

/// What a variable stands for.
pub(super) enum Binding {
    /// An entry of this `let` or `rec` set.
    Entry(SyntaxNode),
    /// The argument of a function: known only when it is called.
    Argument,
    /// Nothing that this file defines.
    Unknown,
}

/// Looks up `variable` as seen from `place`, in the order in which Nix does.
pub(super) fn resolve(variable: &str, place: &SyntaxNode) -> Binding {
    for ancestor in place.ancestors() {
        if binds(&ancestor, variable) {
            return Binding::Entry(ancestor);
        }
        let lambda = cast::<ast::Lambda>(&ancestor);
        if lambda
            .and_then(|lambda| lambda.param())
            .is_some_and(|param| has_name(&param, variable))
        {
            return Binding::Argument;
        }
    }
    Binding::Unknown
}

fn binds(scope: &SyntaxNode, variable: &str) -> bool {
    let recursive = cast::<ast::AttrSet>(scope).is_some_and(|set| set.rec_token().is_some());
    if !recursive && cast::<ast::LetIn>(scope).is_none() && cast::<ast::LegacyLet>(scope).is_none()
    {
        return false;
    }
    defines(scope, variable)
}

/// Whether a set or `let` has an entry whose path begins with `name`, or inherits it.
pub(super) fn defines(container: &SyntaxNode, name: &str) -> bool {
    entries(container).into_iter().any(|entry| match entry {
        ast::Entry::AttrpathValue(entry) => path(&entry)
            .first()
            .is_some_and(|(first, _)| first.as_deref() == Some(name)),
        ast::Entry::Inherit(inherit) => inherit
            .attrs()
            .any(|attribute| name::read(&attribute).as_deref() == Some(name)),
    })
}

fn has_name(param: &ast::Param, variable: &str) -> bool {
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

/// The entries of a set or `let`, in the order of the file.
pub(super) fn entries(container: &SyntaxNode) -> Vec<ast::Entry> {
    if let Some(set) = cast::<ast::AttrSet>(container) {
        set.entries().collect()
    } else if let Some(let_in) = cast::<ast::LetIn>(container) {
        let_in.entries().collect()
    } else {
        cast::<ast::LegacyLet>(container).map_or_else(Vec::new, |old| old.entries().collect())
    }
}

/// The names and the attributes of an entry's path, in order.
pub(super) fn path(entry: &ast::AttrpathValue) -> Vec<(Option<String>, SyntaxNode)> {
    let attributes = entry.attrpath().into_iter().flat_map(|path| path.attrs());
    attributes
        .map(|attribute| (name::read(&attribute), node(&attribute)))
        .collect()
}
