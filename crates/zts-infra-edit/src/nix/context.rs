//! The files of a search, and its way so far.

use rnix::SyntaxNode;

use super::files::Sources;

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

    pub(super) fn has_passed(self, scope: &SyntaxNode, variable: &str) -> bool {
        self.trail
            .is_some_and(|trail| trail.contains(scope, variable))
    }
}
