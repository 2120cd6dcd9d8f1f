//! The plan: the changes of the fleet's files, computed in memory.
//!
//! The contents of files go in, and their new contents come out. Everything is checked before
//! anything is written.

mod create;
mod identity;
mod remove;
mod sources;
mod template;

pub(crate) use create::{CreationPlan, plan_creation};
pub(crate) use identity::name_in_use;
pub(crate) use remove::plan_removal;
pub(crate) use sources::Sources;
