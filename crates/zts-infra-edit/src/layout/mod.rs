//! The layout of entries between a pair of braces: the place of a new entry, and the removal of
//! one.
//!
//! An attribute set of Nix and an object of HCL are the same here: entries, blanks and comments
//! between two delimiters. No two sources give the same result, so an entry that was added can be
//! removed again without a trace.

mod block;
mod insertion;
mod order;
mod removal;

pub(crate) use block::{Block, Separator, Slot, Syntax};
pub(crate) use insertion::Insertion;
pub(crate) use order::slot_in_order;
