//! A version that a host's services did not come up with: noted, so that it is not put in place again.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use openbao::kv::VersionMetadata;
use serde::{Deserialize, Serialize};

use crate::{error::Error, private_file};

/// The note's name.
pub(crate) const FILES: [&str; 1] = ["rejected.json"];

/// Far longer than any note.
const LONGEST: u64 = 1 << 20;

/// The note of a version that was rejected.
///
/// It lies in the secret's cache folder or, where it has none, in the hidden folder beside its output
/// directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The version's number.
    pub version: u64,
    /// When it was written (RFC 3339). A secret that was deleted with all its versions and made anew
    /// starts again from 1.
    pub created_time: Option<String>,
    /// What went wrong, for people.
    pub reason: String,
    /// When.
    pub at: SystemTime,
}

impl Rejection {
    /// The note in `folder`, if there is one that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        let found = private_file::read(&file(folder), LONGEST).ok()?;
        serde_json::from_slice(&found.bytes).ok()
    }

    /// Whether this is the version that was rejected.
    pub fn is_of(&self, version: &VersionMetadata) -> bool {
        let created = self.created_time.as_ref();
        self.version == version.version && created.is_none_or(|time| *time == version.created_time)
    }

    /// Writes the note into `folder`, whole or not at all; makes the folder where there is none.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let opened = private_file::folder(folder)?;
        let text = serde_json::to_vec(self)
            .map_err(|cause| Error::io("write", &file(folder), io::Error::from(cause)))?;
        private_file::replace(&opened, &file(folder), &text)
    }

    /// Removes the note from `folder`, if there is one.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn forget(folder: &Path) -> Result<(), Error> {
        private_file::remove(&file(folder))
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILES[0])
}
