//! The system calls that only Linux has.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Prevents core dumps, and access of the user's other processes to this process's memory.
pub(crate) fn hide_memory() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
