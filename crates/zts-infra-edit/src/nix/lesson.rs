//! The hosts with their values, and the value that is learnt from them.

use rnix::SyntaxNode;

use super::origin::Origin;
use crate::error::MissingValue;

/// A host with its value.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) name: String,
    pub(super) value: SyntaxNode,
    /// The path between the name and the value: empty, or such as `.modules`.
    pub(super) tail: String,
    /// The indentation of the entry.
    pub(super) indent: String,
}

/// A value, and its origin.
#[derive(Debug)]
pub(super) struct Lesson {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// A reason not to learn a value.
#[derive(Debug)]
pub(super) enum Unlearnt {
    /// The values have too little in common; these are some of them.
    Individual(Vec<String>),
    /// The value needs these attributes, of which each host has its own.
    Values(Vec<MissingValue>),
}
