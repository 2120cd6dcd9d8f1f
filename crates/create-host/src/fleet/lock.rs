//! One run at a time on a fleet.

use std::fs::File;

use cli::{Failure, note};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::Tree;
use crate::failure;

/// Held while a run works; the system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _folder: File,
}

impl Lock {
    /// Waits until no other run works on the fleet. The lock is on the folder itself: no file is left
    /// behind. A run that only looks (`shared`) waits for those that write.
    pub(crate) fn take(tree: &Tree, shared: bool) -> Result<Self, Failure> {
        let fail = |cause: std::io::Error| failure::io("lock", tree.root(), cause);
        let folder = File::open(tree.root()).map_err(fail)?;
        let (at_once, waiting) = if shared {
            (
                FlockOperation::NonBlockingLockShared,
                FlockOperation::LockShared,
            )
        } else {
            (
                FlockOperation::NonBlockingLockExclusive,
                FlockOperation::LockExclusive,
            )
        };
        match flock(&folder, at_once) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                note("another create-host works on this fleet: waiting for it");
                flock(&folder, waiting).map_err(|cause| fail(cause.into()))?;
            }
            Err(cause) => return Err(fail(cause.into())),
        }
        Ok(Self { _folder: folder })
    }
}
