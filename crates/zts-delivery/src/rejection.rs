//! The note of a version that was rejected, so that it is not put in place again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use zts_openbao::kv::VersionMetadata;

use crate::{
    error::Error,
    private_file::{self, Unusable, state_dir_path},
};

/// The note's name.
pub(crate) const FILES: [&str; 1] = ["rejected.json"];

/// The largest note, in bytes.
const LARGEST: u64 = 1 << 20;

/// The note of a version that was rejected.
///
/// It lies in the secret's cache folder or, where it has none or that cannot be written to, in the
/// hidden folder beside its output directory, which a reboot empties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The version's number.
    pub version: u64,
    /// The time when the version was written (RFC 3339). A secret that was deleted with all its
    /// versions and created again starts again from 1.
    pub created_time: Option<String>,
    /// The reason, as a message.
    pub reason: String,
    /// The time of the rejection.
    pub at: SystemTime,
}

impl Rejection {
    /// Returns the note of the secret whose output directory is `output`, if there is one.
    ///
    /// # Errors
    /// The system's errors. A note that other users may have written, or that is damaged, is none.
    pub fn load(cache: Option<&Path>, output: &Path) -> Result<Option<Self>, Error> {
        let notes: Result<Vec<_>, _> = places(cache, output)
            .map(|folder| Self::read(&folder))
            .collect();
        // a note beside the output directory may be newer: it could not be written beside the copy
        let newest = |first: Self, next: Self| if next.at > first.at { next } else { first };
        Ok(notes?.into_iter().flatten().reduce(newest))
    }

    /// Returns the note in `folder`, if there is one.
    ///
    /// # Errors
    /// As [`Rejection::load`].
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = file(folder);
        match private_file::read(&path, LARGEST) {
            Ok(found) => Ok(serde_json::from_slice(&found.bytes).ok()),
            Err(Unusable::Unreadable(cause)) => Err(Error::io("read", &path, cause)),
            Err(Unusable::Absent | Unusable::NotAFile | Unusable::WritableByOthers) => Ok(None),
        }
    }

    /// Returns whether this is the version that was rejected.
    pub fn is_of(&self, version: &VersionMetadata) -> bool {
        self.matches(version.version, &version.created_time)
    }

    /// Returns whether it is of the version with this number that was written at this time (RFC
    /// 3339).
    pub fn matches(&self, version: u64, created_time: &str) -> bool {
        let created = self.created_time.as_ref();
        self.version == version && created.is_none_or(|time| *time == created_time)
    }

    /// Writes the note whole or not at all, beside the copy or, where that fails, beside the output
    /// directory.
    ///
    /// # Errors
    /// The first error, where it could be written to neither.
    pub fn record(&self, cache: Option<&Path>, output: &Path) -> Result<(), Error> {
        let mut failure = None;
        for folder in places(cache, output) {
            match self.write(&folder) {
                Ok(()) => return Ok(()),
                Err(error) => drop(failure.get_or_insert(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Writes the note into `folder`, whole or not at all; makes the folder if it is missing.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let opened = private_file::create_private_folder(folder)?;
        let text = serde_json::to_vec(self)
            .map_err(|cause| Error::io("write", &file(folder), io::Error::from(cause)))?;
        private_file::replace(&opened, &file(folder), &text)
    }

    /// Removes the note, wherever it is.
    ///
    /// # Errors
    /// The system's errors.
    pub fn remove(cache: Option<&Path>, output: &Path) -> Result<(), Error> {
        places(cache, output).try_for_each(|folder| Self::remove_in(&folder))
    }

    /// Removes the note of this version or an earlier one. Earlier versions are not deployed again.
    ///
    /// # Errors
    /// The system's errors.
    pub fn remove_until(cache: Option<&Path>, output: &Path, version: u64) -> Result<(), Error> {
        match Self::load(cache, output)? {
            Some(note) if note.version <= version => Self::remove(cache, output),
            _ => Ok(()),
        }
    }

    pub(crate) fn remove_in(folder: &Path) -> Result<(), Error> {
        match fs::symlink_metadata(file(folder)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()), // nor a disk to write to
            _ => private_file::remove_with_draft(&file(folder)),
        }
    }
}

/// The folders that may hold the note.
fn places(cache: Option<&Path>, output: &Path) -> impl Iterator<Item = PathBuf> {
    let beside = state_dir_path(output);
    cache.map(Path::to_owned).into_iter().chain(beside)
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILES[0])
}
