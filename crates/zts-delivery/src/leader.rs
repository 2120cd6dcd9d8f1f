//! Detects a cluster without a leader. A standby answers reads without one, for good, and with data
//! that grows older.
//!
//! The modification time of a note says when a leader was seen last, so that of the fetches of a
//! boot or a rotation only the first one asks.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use zts_net::deadline_in;
use zts_openbao::{Address, Client, sys};

use crate::private_file::OptionalNote;

/// The age up to which a note saves the request. An election takes as long.
const RECENT: Duration = Duration::from_secs(10);

/// The time limit of the request, which can only lead to a warning.
const TIMEOUT: Duration = Duration::from_millis(800);

/// A server that answered, and whose cluster has no leader.
#[derive(Debug)]
pub struct MissingLeader {
    address: Address,
    /// The time since a leader was seen last. `None` where none was ever seen from here.
    since: Option<Duration>,
}

impl fmt::Display for MissingLeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenBao at `{}` finds no leader", self.address)?;
        match self.since {
            Some(time) => {
                let time = Duration::from_secs(time.as_secs());
                write!(f, ", and had one {} ago", humantime::format_duration(time))
            }
            None => f.write_str(", since an unknown time"),
        }
    }
}

/// Returns the server that answered `client` last, if its cluster has no leader. `note` is the note
/// of when one was seen last. A recent note saves the request, unless `ignore_note` is set.
pub(crate) fn find_missing(
    client: &mut Client,
    note: Option<&OptionalNote>,
    ignore_note: bool,
) -> Option<MissingLeader> {
    let since = note.and_then(age_of);
    if !ignore_note && since.is_some_and(|since| since < RECENT) {
        return None;
    }
    let address = client.address().clone();
    client.set_deadline(Some(deadline_in(TIMEOUT)));
    match sys::has_leader(client) {
        Ok(true) => {
            if let Some(note) = note {
                note.write(b"");
            }
            None
        }
        Ok(false) => Some(MissingLeader { address, since }),
        // a proxy before OpenBao may let through no more than a host's own requests
        Err(_) => None,
    }
}

/// Returns the age of a note. `None` for one that is dated in the future.
fn age_of(note: &OptionalNote) -> Option<Duration> {
    let noted = note.read(0)?;
    SystemTime::now().duration_since(noted.modified).ok()
}
