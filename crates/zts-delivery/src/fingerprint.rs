//! Fingerprints of deployed sets. They show by the metadata alone that a file was altered.
//!
//! A fingerprint has the `stat` fields of the directory and of each file, and nothing of the
//! contents. The change time of a file is part of it, which no program can set. The times of the
//! directory are not, because an exchange of two directories changes them. A note in the state
//! directory holds the fingerprints of the last sets by the inodes of their directories.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use zts_secure_fs::read_bounded;

use crate::{
    error::Error,
    private_file::{self, state_dir_path},
};

/// The note's name.
pub(crate) const FILE: &str = "fingerprints";

/// The most sets at a time: the deployed one, the one to roll back to, and one that is being
/// written.
const MOST: usize = 3;

/// The largest note, in bytes. Each file takes some hundred.
const LARGEST: u64 = 64 << 20;

/// The `stat` fields of a set of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    inode: u64,
    mode: u32,
    user: u32,
    group: u32,
    files: BTreeMap<String, FilePrint>,
    /// The digest of the declaration that the set was written by.
    declaration: String,
}

/// The `stat` fields of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FilePrint {
    inode: u64,
    size: u64,
    mode: u32,
    user: u32,
    group: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The difference of a deployed set from the written one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// No fingerprint is known. The files have to be read.
    Unknown,
    /// The set is as it was written, by another declaration than the present one.
    Redeclared,
    /// The set was altered.
    Altered {
        /// The names of the files that were altered, added or removed. Empty where only the owner
        /// or mode of the directory differs.
        names: Vec<String>,
        /// The earliest time in the metadata. Before it, the files were unchanged.
        since: SystemTime,
    },
}

impl Alteration {
    /// Compares the output directory `target` with its fingerprint, and `declaration` with the
    /// digest of its declaration. Returns `None` if both are equal. Takes no lock, and reads no
    /// file in the directory.
    pub fn detect(target: &Path, declaration: &str) -> Option<Self> {
        let known = state_dir_path(target).and_then(|folder| read(&folder));
        let (Ok(found), Ok(directory)) = (
            Fingerprint::of(target, declaration),
            fs::symlink_metadata(target),
        ) else {
            return Some(Self::Unknown);
        };
        let known = known.unwrap_or_default();
        match known.iter().find(|print| print.inode == found.inode) {
            None => Some(Self::Unknown),
            Some(known) if *known == found => None,
            Some(known) if known.has_same_files(&found) => Some(Self::Redeclared),
            Some(known) => Some(known.differs_from(&found, &directory)),
        }
    }
}

impl Fingerprint {
    fn of(directory: &Path, declaration: &str) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(directory)?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(name, FilePrint::of(&entry.metadata()?));
        }
        Ok(Self {
            inode: metadata.ino(),
            mode: metadata.mode(),
            user: metadata.uid(),
            group: metadata.gid(),
            files,
            declaration: declaration.to_owned(),
        })
    }

    fn has_same_files(&self, other: &Self) -> bool {
        let declaration = other.declaration.clone();
        *other
            == Self {
                declaration,
                ..self.clone()
            }
    }

    fn differs_from(&self, found: &Self, directory: &Metadata) -> Alteration {
        let all: BTreeSet<_> = self.files.keys().chain(found.files.keys()).collect();
        let names: Vec<_> = all
            .into_iter()
            .filter(|name| self.files.get(*name) != found.files.get(*name))
            .collect();
        // the removal of a file changes the time of the directory
        let changed = |name: &&String| found.files.get(*name).map(|file| file.changed);
        let gone = (directory.mtime(), directory.mtime_nsec());
        let times = names.iter().map(|name| changed(name).unwrap_or(gone));
        let of_directory = (directory.ctime(), directory.ctime_nsec());
        Alteration::Altered {
            since: time(times.min().unwrap_or(of_directory)),
            names: names.into_iter().cloned().collect(),
        }
    }
}

impl FilePrint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            user: metadata.uid(),
            group: metadata.gid(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn time((seconds, nanoseconds): (i64, i64)) -> SystemTime {
    let seconds = Duration::from_secs(seconds.try_into().unwrap_or_default());
    UNIX_EPOCH + seconds + Duration::from_nanos(nanoseconds.unsigned_abs())
}

fn read(folder: &Path) -> Option<Vec<Fingerprint>> {
    serde_json::from_slice(&read_bounded(&folder.join(FILE), LARGEST).ok()?).ok()
}

/// A fingerprint that is not noted yet.
#[must_use]
pub(crate) struct Taken(io::Result<Fingerprint>);

impl Taken {
    /// Takes the fingerprint of the set at `directory`, with the digest of its declaration.
    pub(crate) fn of(directory: &Path, declaration: &str) -> Self {
        Self(Fingerprint::of(directory, declaration))
    }

    /// Notes it in the state directory, in place of an older one of the same directory.
    ///
    /// # Errors
    /// The system's errors.
    pub(crate) fn note(self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let print = self
            .0
            .map_err(|cause| Error::io("take the fingerprint of the files for", &path, cause))?;
        let mut prints = read(folder).unwrap_or_default();
        prints.retain(|known| known.inode != print.inode);
        prints.push(print);
        let surplus = prints.len().saturating_sub(MOST);
        prints.drain(..surplus);
        private_file::write_note(&path, &prints)
    }
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
