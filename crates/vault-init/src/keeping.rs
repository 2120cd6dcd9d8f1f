//! The folder that keeps the keys.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use cli::Failure;
use rustix::{
    fs::{FallocateFlags, FlockOperation, fallocate, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::protection::{IN_CLEAR, Kept, ROOT_TOKEN};

/// There from before the request until its answer is on the disk.
const STARTED: &str = "started.json";
/// Larger than any of the files: a PGP-encrypted share is some kilobytes.
const ROOM: u64 = 16 << 10;

/// The note of a request that is about to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Where to.
    pub(crate) address: String,
    /// When (seconds since 1970).
    pub(crate) at: u64,
}

/// The folder, locked: of two runs at once, the second waits.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// # Errors
    /// A folder that cannot be made or locked.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|cause| unusable(path, "be made", &cause))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(".lock"))
            .map_err(|cause| unusable(path, "be written to", &cause))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            cli::note("another vault-init is at work: waits for it");
            flock(&lock, FlockOperation::LockExclusive)
                .map_err(|cause| unusable(path, "be locked", &cause.into()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The files with keys that are there.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) fn kept(&self) -> Result<Vec<String>, Failure> {
        let entries =
            fs::read_dir(&self.path).map_err(|cause| unusable(&self.path, "be listed", &cause))?;
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| {
                name == IN_CLEAR || name.starts_with("unseal-key-") || name.starts_with(ROOT_TOKEN)
            })
            .filter(|name| !name.ends_with(DRAFT))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether an earlier run sent its request and did not live to keep the answer.
    pub(crate) fn started(&self) -> Option<Started> {
        let text = fs::read(self.file(STARTED)).ok()?;
        Some(serde_json::from_slice(&text).unwrap_or(Started {
            address: "unknown".to_owned(),
            at: 0,
        }))
    }

    /// Takes the room on the disk that the keys will need, and notes that the request is about to be sent.
    ///
    /// # Errors
    /// A disk that is full, or that cannot be written to.
    pub(crate) fn prepare(&self, names: &[String], started: &Started) -> Result<(), Failure> {
        for name in names {
            let draft = self.draft(name);
            let reserved = File::options()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&draft)
                .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, ROOM)?));
            reserved.map_err(|cause| {
                let _ = self.forget_drafts(names); // the first error is the one to tell
                unusable(&draft, "be given the room that the keys need", &cause)
            })?;
        }
        let text = serde_json::to_vec(started).unwrap_or_default();
        let noted = write(&self.file(STARTED), &text).and_then(|()| self.flush());
        noted.map_err(|cause| unusable(&self.path, "be written to", &cause))
    }

    /// Puts the keys on the disk, each file whole, all before the note is taken away.
    ///
    /// # Errors
    /// A disk that cannot be written to, in spite of the room that was taken.
    pub(crate) fn keep(&self, files: &[Kept]) -> Result<(), Failure> {
        self.keep_all(files)
            .map_err(|cause| unusable(&self.path, "keep the keys", &cause))
    }

    fn keep_all(&self, files: &[Kept]) -> io::Result<()> {
        for (name, content) in files {
            overwrite(&self.draft(name), content)?;
        }
        for (name, _) in files {
            fs::rename(self.draft(name), self.file(name))?;
        }
        self.flush()?;
        self.end()
    }

    /// Takes away the note, and what was reserved.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub(crate) fn forget_start(&self, names: &[String]) -> Result<(), Failure> {
        self.forget_drafts(names)
            .and_then(|()| self.end())
            .map_err(|cause| unusable(&self.path, "be written to", &cause))
    }

    fn forget_drafts(&self, names: &[String]) -> io::Result<()> {
        names
            .iter()
            .try_for_each(|name| absent(fs::remove_file(self.draft(name))))
    }

    fn end(&self) -> io::Result<()> {
        absent(fs::remove_file(self.file(STARTED)))?;
        self.flush()
    }

    /// Replaces a file, whole.
    ///
    /// # Errors
    /// A disk that cannot be written to.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let draft = self.draft(name);
        let replaced = write(&draft, content)
            .and_then(|()| fs::rename(&draft, self.file(name)))
            .and_then(|()| self.flush());
        replaced.map_err(|cause| unusable(&self.file(name), "be replaced", &cause))
    }

    /// Removes a file that is not needed any more.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        absent(fs::remove_file(self.file(name)))
            .and_then(|()| self.flush())
            .map_err(|cause| unusable(&self.file(name), "be removed", &cause))
    }

    /// What is in a file.
    ///
    /// # Errors
    /// One that cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = self.file(name);
        let read = fs::read(&path).map(Zeroizing::new);
        read.map_err(|cause| unusable(&path, "be read", &cause))
    }

    fn draft(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{DRAFT}"))
    }

    /// A renamed file is on the disk only when its folder is.
    fn flush(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

const DRAFT: &str = ".new";

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Into the room that was taken before: what is left of it is given back last.
fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|cause| match cause.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(cause),
    })
}

fn unusable(path: &Path, what: &str, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot {what}: {cause}", path.display()))
}
