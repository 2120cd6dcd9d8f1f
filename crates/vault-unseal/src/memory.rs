//! Key shares never reach the swap.

use rustix::mm::{MlockAllFlags, mlockall};

use crate::log::{Level, say};

/// Locks all memory, also what is taken later. Where that is refused, the program says so and goes on:
/// a cluster that stays sealed helps nobody.
pub(crate) fn lock() {
    if let Err(cause) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        say(
            Level::Warn,
            format_args!(
                "memory is not locked, and could be swapped to disk: {cause} (LimitMEMLOCK=)"
            ),
        );
    }
}
