//! The counterparts on macOS, where the operators' programs run.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Prevents core dumps. The user's debuggers may still read this process's memory: what refuses
/// them on macOS (`PT_DENY_ATTACH`) has no safe interface.
pub(crate) fn hide_memory() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}
