//! Exclusive locks on snapshot directories, and the drafts in them: snapshots that are complete but
//! not stored yet.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::Path,
    thread,
    time::Duration,
};

use tempfile::{NamedTempFile, TempPath};
use zts_cli::Failure;
use zts_secure_fs::{Folder, Guard, Lock, LockKind};

use crate::{archive::RaftPosition, digest::Digest, timestamp::Timestamp};

/// The name of the lock file of a folder. Its content is the time of the last snapshot.
const LOCK: &str = ".vault-snapshot.lock";
/// The prefix of drafts' names. An interrupted run leaves one behind.
pub(super) const DRAFT_PREFIX: &str = ".vault-snapshot-";

/// Exclusive locks on directories, which end with the process.
#[derive(Debug)]
pub(crate) struct DirectoryLocks {
    locks: Vec<Lock>,
}

impl DirectoryLocks {
    /// Locks all of the folders, or none.
    ///
    /// # Errors
    /// Another run has locked one, or one cannot be written to.
    pub(crate) fn acquire<'a>(
        folders: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self, Failure> {
        // In a fixed order, and each once: a second lock on a file would be refused.
        let resolved = folders.into_iter().map(|folder| {
            folder
                .canonicalize()
                .map_err(|cause| lock_failure(folder, &cause))
        });
        let mut resolved = resolved.collect::<Result<Vec<_>, _>>()?;
        resolved.sort();
        resolved.dedup();
        let locks = resolved.iter().map(|folder| lock(folder));
        Ok(Self {
            locks: locks.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the current time, which no run has used that locked one of these folders. Waits for
    /// the next second where needed.
    ///
    /// # Errors
    /// A lock file cannot be read or written.
    pub(crate) fn unique_timestamp(&self) -> io::Result<Timestamp> {
        let mut last = None;
        for lock in &self.locks {
            last = last.max(read_timestamp(lock.file())?);
        }
        let mut now = Timestamp::now();
        // A last time that is further ahead is ignored: the clock was set back.
        while last.is_some_and(|last| (now..now.plus_seconds(3)).contains(&last)) {
            thread::sleep(Duration::from_millis(50));
            now = Timestamp::now();
        }
        for lock in &self.locks {
            let mut file = lock.file();
            file.rewind()?;
            file.write_all(now.to_string().as_bytes())?;
        }
        Ok(now)
    }
}

/// Reads the time in a lock file. Returns `None` for a new file and for one that was cut short.
fn read_timestamp(mut file: &File) -> io::Result<Option<Timestamp>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(100).read_to_string(&mut text)?;
    Ok(Timestamp::parse(&text))
}

/// Checks that a folder can be locked, unless another run has locked it.
///
/// # Errors
/// It cannot be written to.
pub(super) fn check_lockable(folder: &Path) -> Result<(), Failure> {
    open_lock_file(folder).map(drop)
}

fn open_lock_file(folder: &Path) -> Result<File, Failure> {
    Folder::open(folder, Guard::Links)
        .map_err(io::Error::from)
        .and_then(|folder| folder.open_writable_lock_file(LOCK))
        .map_err(|cause| lock_failure(folder, &cause))
}

fn lock(folder: &Path) -> Result<Lock, Failure> {
    let file = open_lock_file(folder)?;
    match Lock::try_take(file, LockKind::Exclusive) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::failed(format!(
            "another vault-snapshot is running in `{}`",
            folder.display()
        ))
        .hint("wait for it to end")),
        Err(cause) => Err(lock_failure(folder, &cause)),
    }
}

fn lock_failure(folder: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot be locked: {cause}", folder.display()))
}

/// A verified snapshot as it will be stored. Its file is removed on `Drop`.
#[derive(Debug)]
pub(crate) struct Draft {
    path: TempPath,
    pub(crate) position: RaftPosition,
    /// The digest of OpenBao's archive.
    pub(crate) archive: Digest,
    /// The digest of the file, which differs where it is encrypted.
    pub(crate) stored: Digest,
}

impl Draft {
    /// Flushes the file to disk.
    pub(crate) fn new(
        file: NamedTempFile,
        position: RaftPosition,
        archive: Digest,
        stored: Digest,
    ) -> io::Result<Self> {
        let (file, path) = file.into_parts();
        file.sync_all()?;
        Ok(Self {
            path,
            position,
            archive,
            stored,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file.
    pub(crate) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

/// Creates an empty file for a draft, for its owner only.
pub(crate) fn create_draft_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(DRAFT_PREFIX)
        .tempfile_in(folder)
}

/// Removes drafts of interrupted runs from a folder. The caller holds its lock.
pub(super) fn remove_leftover_drafts(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(DRAFT_PREFIX.as_bytes()) {
            let _ = fs::remove_file(entry.path()); // one that stays only takes space
        }
    }
}
