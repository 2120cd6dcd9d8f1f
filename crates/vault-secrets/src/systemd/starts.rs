//! Starts of services, as they happen.

use std::{collections::BTreeSet, mem::MaybeUninit, os::fd::OwnedFd, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io,
};

/// The folder where systemd has a link `invocation:<unit>` for each unit that is not at rest. It
/// makes the link before it starts the first process of the unit.
const INVOCATIONS: &str = "/run/systemd/units";

const PREFIX: &str = "invocation:";

/// Notes which units start.
pub(crate) struct Starts(OwnedFd);

impl Starts {
    /// Begins to note starts.
    ///
    /// # Errors
    /// A machine without systemd, and the system's errors.
    pub(crate) fn watch() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        inotify::add_watch(&inotify, INVOCATIONS, flags)?;
        Ok(Self(inotify))
    }

    /// Returns the units that have started since the last call. Waits for the first of them, for
    /// `time` at most.
    ///
    /// # Errors
    /// The system's errors, and more starts than the system keeps for this process.
    pub(crate) fn wait(&self, time: Duration) -> io::Result<BTreeSet<String>> {
        let time = Timespec::try_from(time).map_err(|_| io::Errno::INVAL)?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&time)) {
            Ok(_) | Err(io::Errno::INTR) => {}
            Err(cause) => return Err(cause),
        }
        let mut units = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.0, &mut buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(io::Errno::WOULDBLOCK) => return Ok(units),
                Err(cause) => return Err(cause),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return Err(io::Errno::OVERFLOW);
            }
            let name = event.file_name().and_then(|name| name.to_str().ok());
            units.extend(name.and_then(|name| Some(name.strip_prefix(PREFIX)?.to_owned())));
        }
    }
}
