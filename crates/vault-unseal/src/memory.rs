//! Key shares never reach the swap.

use std::{io, thread};

use rustix::mm::{MlockAllFlags, mlockall, munlockall};

use crate::log::{Level, say};

/// What the program may take later: threads and their stacks, and what the C library sets aside for
/// each of them. Where that much cannot be locked, none of it could be had at all.
const ROOM: usize = 64 << 20;

/// Locks all memory, also what is taken later, as soon as it is used. Where that is refused, the program
/// says so and goes on: a cluster that stays sealed helps nobody.
pub(crate) fn lock() {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = mlockall(all).map_err(io::Error::from);
    if let Err(cause) = locked.and_then(|()| try_room()) {
        let _ = munlockall();
        say(
            Level::Warn,
            format_args!(
                "memory is not locked, and could be swapped to disk: {cause} (`LimitMEMLOCK=128M` or `ulimit -l`)"
            ),
        );
    }
}

/// Takes that much address space for a moment, as a stack: the limit shows when it is reached, not
/// before.
fn try_room() -> io::Result<()> {
    let thread = thread::Builder::new().stack_size(ROOM).spawn(|| ())?;
    thread.join().map_err(|_| io::ErrorKind::OutOfMemory.into())
}
