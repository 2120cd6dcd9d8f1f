//! Never two at once.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, path::Path};

use cli::Failure;
use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

/// The file that is locked in a folder.
const LOCK: &str = ".vault-snapshot.lock";

/// Folders that no other run works in while this lives, however it ends.
#[derive(Debug)]
pub(crate) struct Locked {
    _files: Vec<File>,
}

impl Locked {
    /// Locks each of the folders, or none.
    ///
    /// # Errors
    /// One that another run has locked, or that cannot be written to.
    pub(crate) fn all<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<Self, Failure> {
        // In one order whatever the arguments, and each once: a second lock on a file would be refused.
        let resolved = folders.into_iter().map(|folder| {
            folder
                .canonicalize()
                .map_err(|cause| unusable(folder, &cause))
        });
        let mut resolved = resolved.collect::<Result<Vec<_>, _>>()?;
        resolved.sort();
        resolved.dedup();
        let files = resolved.iter().map(|folder| lock(folder));
        Ok(Self {
            _files: files.collect::<Result<_, _>>()?,
        })
    }
}

fn lock(folder: &Path) -> Result<File, Failure> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(folder.join(LOCK))
        .map_err(|cause| unusable(folder, &cause))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Failure::failed(format!(
            "another vault-snapshot is at work in `{}`",
            folder.display()
        ))
        .hint("wait for it to end")),
        Err(cause) => Err(unusable(folder, &cause.into())),
    }
}

fn unusable(folder: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot be locked: {cause}", folder.display()))
}
