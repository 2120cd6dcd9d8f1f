//! Notes of what stands in an output directory, and since when.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use openbao::kv::VersionMetadata;
use rustix::time::{ClockId, clock_gettime};
use secure_fs::{LARGEST_TEXT, read_bounded};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Workplace, error::Error, private_file};

/// The names of the notes.
pub(crate) const FILES: [&str; 2] = [WRITTEN, CHANGED];
const WRITTEN: &str = "written";
const CHANGED: &str = "changed";

/// Where a version came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// OpenBao gave it.
    #[default]
    OpenBao,
    /// The cached copy, for OpenBao could not be used.
    Cache,
}

/// What stands in an output directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which secret: namespace, mount and path.
    pub secret: String,
    /// The version's number.
    pub version: u64,
    /// When the version was written to OpenBao (RFC 3339).
    #[serde(default)]
    pub created_time: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub source: Source,
    /// When it was put there, or found to be there. The note's own modification time would not do: the
    /// kernel dates files by a clock that lags some milliseconds behind.
    pub at: SystemTime,
    /// The version that was taken back for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<u64>,
}

impl Standing {
    /// A version that stands there from now on.
    pub fn now(secret: &str, version: u64, created_time: &str, source: Source) -> Self {
        Self {
            secret: secret.to_owned(),
            version,
            created_time: Some(created_time.to_owned()),
            source,
            at: SystemTime::now(),
            instead_of: None,
        }
    }

    /// Whether it is the same version of the same secret.
    pub fn is_same(&self, other: &Self) -> bool {
        self.secret == other.secret
            && self.version == other.version
            && self.created_time == other.created_time
    }

    /// Whether it is this version of the secret that `secret` names in full.
    pub fn is_of(&self, secret: &str, version: &VersionMetadata) -> bool {
        self.secret == secret
            && self.version == version.version
            && self.created_time.as_ref() == Some(&version.created_time)
    }

    /// What stands in the output directory `target`, as far as that was noted. Takes no lock.
    pub fn of(target: &Path) -> Option<Self> {
        let folder = Workplace::folder_of(target)?;
        target.is_dir().then(|| Self::read(&folder)).flatten()
    }

    pub(crate) fn read(folder: &Path) -> Option<Self> {
        read(&folder.join(WRITTEN))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        write(&folder.join(WRITTEN), self)
    }
}

/// What an output directory held at some moment.
///
/// A run takes this before it queries OpenBao. If the directory holds something else when the answer
/// is about to be written, another run has written meanwhile, and its answer may be the newer one. No
/// clock is compared, because a clock can be set back, and no version number alone, because a
/// secret that is deleted and created again starts at 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployed {
    note: Option<Standing>,
    is_there: bool,
}

impl Deployed {
    /// Reads what the output directory `target` holds. Takes no lock.
    pub fn of(target: &Path) -> Self {
        let folder = Workplace::folder_of(target);
        Self {
            note: folder.as_deref().and_then(Standing::read),
            is_there: target.is_dir(),
        }
    }

    /// Returns whether the directory held the same version in `other`. A version that was confirmed
    /// meanwhile is the same; a directory that was removed twice is not.
    fn is_same(&self, other: &Self) -> bool {
        let (Some(now), Some(before)) = (&self.note, &other.note) else {
            return self == other;
        };
        let confirmed = self.is_there && other.is_there;
        self == other || confirmed && now.is_same(before) && now.instead_of == before.instead_of
    }

    /// Returns whether writing `mine` would undo what another run wrote since `before`.
    pub(crate) fn overtakes(&self, mine: &Standing, before: &Self) -> bool {
        if self.is_same(before) {
            return false;
        }
        let Some(now) = self.note.as_ref().filter(|now| now.secret == mine.secret) else {
            return false;
        };
        match mine.source {
            Source::OpenBao => !(self.is_there && now.is_same(mine)),
            // the other run has an answer of OpenBao's, and this one has none
            Source::Cache => !self.is_there || now.source == Source::OpenBao,
        }
    }

    /// Returns whether another run has put files there since `before`.
    pub(crate) fn is_newer_than(&self, before: &Self) -> bool {
        self.is_there && !self.is_same(before)
    }
}

/// When files changed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// Since the machine started, by the clock that systemd's monotonic timestamps are of.
    pub uptime: Duration,
    /// The time of day.
    pub at: SystemTime,
}

impl Change {
    /// One that happens now.
    pub fn now() -> Self {
        Self {
            uptime: uptime(),
            at: SystemTime::now(),
        }
    }

    /// The last change of the output directory `target`; none where it was before this boot, and so
    /// before any service that runs.
    ///
    /// Which boot that was need not be known: a service starts after its secrets were fetched in the
    /// same boot, so a change that seems to be after its start is one of this boot, or lies in the
    /// future.
    pub fn of(target: &Path) -> Option<Self> {
        let change: Self = read(&Workplace::folder_of(target)?.join(CHANGED))?;
        (change.uptime <= uptime()).then_some(change)
    }

    pub(crate) fn write(self, folder: &Path) -> Result<(), Error> {
        write(&folder.join(CHANGED), &self)
    }
}

/// How long the machine has been up, without the time it was suspended (`CLOCK_MONOTONIC`).
pub fn uptime() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_bounded(path, LARGEST_TEXT).ok()?).ok()
}

/// Writes a note whole or not at all. It need not outlive a power cut: what it is about is the same
/// directory, and a note that is missing only costs a question more.
pub(crate) fn write(path: &Path, note: &impl Serialize) -> Result<(), Error> {
    let draft = private_file::draft(path);
    let written = serde_json::to_vec(note).map_err(io::Error::from);
    written
        .and_then(|text| fs::write(&draft, text))
        .and_then(|()| fs::rename(&draft, path))
        .map_err(|cause| Error::io("write", path, cause))
}
