//! The folder of a drill: it vanishes with it, also where it was killed, as soon as there is another one.

use std::{env, fs, os::fd::OwnedFd, path::Path};

use cli::Failure;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use secure_fs::{Folder, Guard};
use tempfile::TempDir;

use crate::store::of_unit;

/// How the folders are named.
const PREFIX: &str = ".vault-snapshot-drill-";

/// A folder for its owner only.
pub(crate) struct Scratch {
    folder: TempDir,
    /// Tells other drills that this one lives.
    _lock: OwnedFd,
}

impl Scratch {
    /// Makes it in `work`, or where systemd gave the unit room, or where temporary files go; and removes those of
    /// drills that were killed.
    ///
    /// # Errors
    /// No folder can be made there.
    pub(crate) fn new(work: Option<&Path>) -> Result<Self, Failure> {
        let parent = work.map(Path::to_owned).or_else(of_unit);
        let parent = parent.unwrap_or_else(env::temp_dir);
        let failed = |cause: &dyn std::fmt::Display| {
            Failure::failed(format!(
                "no folder could be made in `{}`: {cause}",
                parent.display()
            ))
        };
        Folder::make(&parent, Guard::Links, 0o755, 0o700).map_err(|cause| failed(&cause))?;
        sweep(&parent);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .map_err(|cause| failed(&cause))?;
        let lock = lock(folder.path()).map_err(|cause| failed(&cause))?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn lock(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
    Ok(folder)
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if ours && lock(&entry.path()).is_ok() {
            let _ = fs::remove_dir_all(entry.path()); // another user's is not ours to mend
        }
    }
}
