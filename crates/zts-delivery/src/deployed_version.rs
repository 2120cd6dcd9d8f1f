//! Notes of the version in an output directory, and of the last change of its files.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use zts_openbao::kv::VersionMetadata;

use crate::{
    SecretIdentity,
    error::Error,
    private_file::{self, state_dir_path},
};

/// The names of the notes.
pub(crate) const FILES: [&str; 2] = [WRITTEN, CHANGED];
const WRITTEN: &str = "written";
const CHANGED: &str = "changed";

/// The source of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// OpenBao returned it.
    #[default]
    OpenBao,
    /// The cached copy, because OpenBao could not be used.
    Cache,
}

/// The version in an output directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedVersion {
    /// The secret.
    pub secret: SecretIdentity,
    /// The version's number.
    pub version: u64,
    /// The time when the version was written to OpenBao (RFC 3339).
    #[serde(default)]
    pub created_time: Option<String>,
    /// The source that it came from.
    #[serde(default)]
    pub source: Source,
    /// The time when it was put there, or found to be there. The note's own modification time would
    /// not do: the kernel dates files by a clock that lags some milliseconds behind.
    pub at: SystemTime,
    /// The version that was rolled back, where this one replaced it in a roll-back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<u64>,
}

impl DeployedVersion {
    /// Returns a version that is in place from now on.
    pub fn now(secret: &SecretIdentity, version: u64, created_time: &str, source: Source) -> Self {
        Self {
            secret: secret.clone(),
            version,
            created_time: Some(created_time.to_owned()),
            source,
            at: SystemTime::now(),
            instead_of: None,
        }
    }

    /// Returns the version with this metadata, which OpenBao returned.
    pub fn from_openbao(secret: &SecretIdentity, version: &VersionMetadata) -> Self {
        let created_time = &version.created_time;
        Self::now(secret, version.version, created_time, Source::OpenBao)
    }

    /// Returns whether it is the same version of the same secret.
    pub fn is_same(&self, other: &Self) -> bool {
        self.secret == other.secret
            && self.version == other.version
            && self.created_time == other.created_time
    }

    /// Returns whether it is this version of the secret that `secret` names in full.
    pub fn is_of(&self, secret: &SecretIdentity, version: &VersionMetadata) -> bool {
        self.secret == *secret
            && self.version == version.version
            && self.created_time.as_ref() == Some(&version.created_time)
    }

    /// Returns whether OpenBao got this version after `other`, another version of the same secret.
    /// Numbers alone do not tell: they begin anew where all versions were removed.
    pub fn is_newer_than(&self, other: &VersionMetadata) -> bool {
        self.version > other.version && self.was_written_after(other)
    }

    /// Returns whether OpenBao got it later than `other`.
    pub(crate) fn was_written_after(&self, other: &VersionMetadata) -> bool {
        let time = |text: &str| humantime::parse_rfc3339(text).ok();
        let own = self.created_time.as_deref().and_then(time);
        let times = own.zip(time(&other.created_time));
        times.is_some_and(|(own, other)| own > other)
    }

    /// Returns the version in the output directory `target`, if it was noted. Takes no lock.
    ///
    /// # Errors
    /// The system's errors.
    pub fn read(target: &Path) -> Result<Option<Self>, Error> {
        let state = OutputState::read(target)?;
        Ok(state.note.filter(|_| state.is_there))
    }

    pub(crate) fn read_note(folder: &Path) -> Result<Option<Self>, Error> {
        private_file::read_note(&folder.join(WRITTEN))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        private_file::write_note(&folder.join(WRITTEN), self)
    }
}

/// The content of an output directory at one time.
///
/// A run takes this before it queries OpenBao. If the directory holds something else when the
/// answer is about to be written, another run has written meanwhile, and its answer may be the
/// newer one. No clock is compared, because a clock can be set back, and no version number alone,
/// because a secret that is deleted and created again starts at 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputState {
    note: Option<DeployedVersion>,
    is_there: bool,
}

impl OutputState {
    /// Reads what the output directory `target` holds. Takes no lock.
    ///
    /// # Errors
    /// The system's errors.
    pub fn read(target: &Path) -> Result<Self, Error> {
        let note = match state_dir_path(target) {
            Some(folder) => DeployedVersion::read_note(&folder)?,
            None => None,
        };
        let is_there = private_file::directory_metadata(target)?.is_some();
        Ok(Self { note, is_there })
    }

    /// Returns the version of `secret` in the directory.
    pub fn version_of(&self, secret: &SecretIdentity) -> Option<&DeployedVersion> {
        let note = self.note.as_ref().filter(|_| self.is_there);
        note.filter(|version| version.secret == *secret)
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
    pub(crate) fn overtakes(&self, mine: &DeployedVersion, before: &Self) -> bool {
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

/// The time of the last change of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastChange {
    /// The time since the boot, by the clock of systemd's monotonic timestamps.
    pub uptime: Duration,
    /// The time of day.
    pub at: SystemTime,
}

impl LastChange {
    /// Returns a change with the current time.
    pub fn now() -> Self {
        Self {
            uptime: uptime(),
            at: SystemTime::now(),
        }
    }

    /// Returns the last change of the output directory `target`. `None` where it was before this
    /// boot, and so before the start of any running service.
    ///
    /// A service starts after its secrets were fetched in the same boot. So a change that seems to
    /// be after its start is one of this boot, or is in the future.
    ///
    /// # Errors
    /// The system's errors.
    pub fn read(target: &Path) -> Result<Option<Self>, Error> {
        let Some(folder) = state_dir_path(target) else {
            return Ok(None);
        };
        let change: Option<Self> = private_file::read_note(&folder.join(CHANGED))?;
        Ok(change.filter(|change| change.uptime <= uptime()))
    }

    pub(crate) fn write(self, folder: &Path) -> Result<(), Error> {
        private_file::write_note(&folder.join(CHANGED), &self)
    }
}

/// Returns how long the machine has been up, without the time it was suspended (`CLOCK_MONOTONIC`).
pub fn uptime() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}
