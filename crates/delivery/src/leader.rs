//! Whether the cluster has a leader. A standby answers reads without one, for good, and with data that
//! grows older.
//!
//! When a leader was seen last is noted beside the output directories (`/run/secrets/.vault-leader`, its
//! modification time), so that of the fetches of a boot or a rotation only the first looks.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use openbao::{Address, Client, deadline_in, sys};

use crate::{private_file, remark};

/// An election takes as long.
const SEEN_JUST_NOW: Duration = Duration::from_secs(10);

/// How long an answer is waited for that is worth a warning and no more.
const PATIENCE: Duration = Duration::from_millis(800);

/// A server answered, and no leader of its cluster did.
#[derive(Debug)]
pub struct Leaderless {
    address: Address,
    /// How long ago there was one; unknown where none was ever seen from here.
    seen: Option<Duration>,
}

impl fmt::Display for Leaderless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenBao at `{}` finds no leader", self.address)?;
        match self.seen {
            Some(time) => {
                let time = Duration::from_secs(time.as_secs());
                write!(f, ", and had one {} ago", humantime::format_duration(time))
            }
            None => f.write_str(", nobody knows since when"),
        }
    }
}

/// Looks for the leader of the cluster whose answer `client` got last; `note` is where it is noted, and
/// `look` says that a leader that was seen just now may be gone.
pub(crate) fn missing(client: &mut Client, note: Option<&Path>, look: bool) -> Option<Leaderless> {
    let seen = note.and_then(age);
    if !look && seen.is_some_and(|seen| seen < SEEN_JUST_NOW) {
        return None;
    }
    let address = client.address().clone();
    client.set_deadline(Some(deadline_in(PATIENCE)));
    match sys::has_leader(client) {
        Ok(true) => {
            if let Some(note) = note {
                remark::write(note, b"");
            }
            None
        }
        Ok(false) => Some(Leaderless { address, seen }),
        // something that lets through no more than a host's own requests may stand before OpenBao
        Err(_) => None,
    }
}

/// The place of the note beside that of another.
pub(crate) fn beside(note: &Path) -> PathBuf {
    note.with_file_name(".vault-leader")
}

/// How old the note is; one from the future says nothing.
fn age(note: &Path) -> Option<Duration> {
    let noted = private_file::read(note, 0).ok()?;
    SystemTime::now().duration_since(noted.modified).ok()
}
