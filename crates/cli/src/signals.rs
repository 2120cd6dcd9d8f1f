//! Signals that ask a program to end, at a moment when it must not.

use nix::sys::signal::{SigSet, Signal};

/// While this lives, the process does not end where it is only asked to: whoever stops the unit
/// between an answer that OpenBao gives once and the disk would lose what was in it.
#[derive(Debug)]
pub struct Deaf {
    to: SigSet,
}

impl Deaf {
    /// Deaf from now on: this thread, and those that it starts.
    pub fn begin() -> Self {
        let to: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
            .into_iter()
            .collect();
        let _ = to.thread_block();
        Self { to }
    }
}

impl Drop for Deaf {
    /// What came meanwhile counts now.
    fn drop(&mut self) {
        let _ = self.to.thread_unblock();
    }
}
