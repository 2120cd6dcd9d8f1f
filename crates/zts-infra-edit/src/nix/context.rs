//! The files of a search, and its way so far.

use rnix::SyntaxNode;
use rnix::ast;

use super::files::{SourceFile, Sources, file_expression};
use super::flake_hosts::FlakeHosts;
use super::parse::untyped;

/// The variables and files on the way to an expression, the last one first. A definition that leads
/// to one of them again is recursive.
pub(super) struct Trail<'a> {
    pub(super) scope: &'a SyntaxNode,
    pub(super) variable: &'a str,
    pub(super) outer: Option<&'a Trail<'a>>,
}

impl Trail<'_> {
    fn contains(&self, scope: &SyntaxNode, variable: &str) -> bool {
        (self.scope == scope && self.variable == variable)
            || self
                .outer
                .is_some_and(|outer| outer.contains(scope, variable))
    }
}

/// The files of a search, and its way so far.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) trail: Option<&'a Trail<'a>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(sources: &'a Sources<'a>) -> Self {
        Self {
            sources,
            trail: None,
        }
    }

    /// Calls `search` on the way through a variable of a scope.
    pub(super) fn within<T>(
        self,
        scope: &SyntaxNode,
        variable: &str,
        search: impl FnOnce(Context<'_>) -> T,
    ) -> T {
        let trail = Trail {
            scope,
            variable,
            outer: self.trail,
        };
        search(Context {
            trail: Some(&trail),
            ..self
        })
    }

    pub(super) fn has_passed(self, scope: &SyntaxNode, variable: &str) -> bool {
        self.trail
            .is_some_and(|trail| trail.contains(scope, variable))
    }
}

/// Calls `search` with the expression of an imported file.
pub(super) fn in_file(
    file: &ast::Expr,
    path: &[&str],
    context: Context<'_>,
    search: impl FnOnce(&ast::Expr, Context<'_>) -> FlakeHosts,
) -> Option<FlakeHosts> {
    let here = untyped(file);
    match context.sources.open_import(file)? {
        Ok(opened) => Some(in_source(&opened, context, search)),
        Err(error) => {
            let reason = format!("`{here}` cannot be read: {error}");
            Some(FlakeHosts::with_obstacle(&here, path, reason))
        }
    }
}

/// Calls `search` with the expression of a parsed file, unless the search came through it.
pub(super) fn in_source(
    file: &SourceFile,
    context: Context<'_>,
    search: impl FnOnce(&ast::Expr, Context<'_>) -> FlakeHosts,
) -> FlakeHosts {
    if context.has_passed(&file.root, "") {
        return FlakeHosts::default();
    }
    file_expression(file).map_or_else(FlakeHosts::default, |expression| {
        context.within(&file.root, "", |context| search(&expression, context))
    })
}
