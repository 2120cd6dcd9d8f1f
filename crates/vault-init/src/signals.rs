//! Signals that ask a program to end, at a moment when it must not.

use nix::sys::signal::{SigSet, Signal};

/// While this lives, the process does not end where it is only asked to: whoever stops the unit
/// between OpenBao's answer and the disk would lose the key shares, and the cluster with them.
pub(crate) struct Deaf {
    to: SigSet,
}

impl Deaf {
    pub(crate) fn begin() -> Self {
        let to: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
            .into_iter()
            .collect();
        // for this thread, and for those that it starts
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
