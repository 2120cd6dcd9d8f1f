//! The plan: the changes of the fleet's files, computed in memory.
//!
//! The contents of files go in, and their new contents come out. Everything is checked before
//! anything is written.

mod beside;
mod create;
mod enroll;
mod entry;
mod entry_failure;
mod flake;
mod flake_notes;
mod flake_removal;
mod generated;
mod grants;
mod identity;
mod incomplete;
mod missing;
mod own_values;
mod preview;
mod recognition;
mod remove;
mod rendered;
mod request;
mod requirements;
mod siblings;
mod sources;
mod template;
mod unread;

pub(crate) use create::{CreationPlan, plan_creation};
pub(crate) use enroll::plan_enrollment;
pub(crate) use flake::reads_machine_map;
pub(crate) use generated::plan_generated;
pub(crate) use grants::find_doubtful_grants;
pub(crate) use identity::{check_address_in_map, name_in_use};
pub(crate) use missing::Missing;
pub(crate) use preview::{EntryProblem, Preview, preview_new_host};
pub(crate) use recognition::{Recognition, Trace, find_traces, recognize_host};
pub(crate) use remove::{Removal, plan_removal};
pub(crate) use request::Request;
pub(crate) use siblings::list_siblings;
pub(crate) use sources::Sources;
