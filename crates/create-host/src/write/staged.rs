//! One file on its way.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::PREFIX;
use crate::plan::Change;

/// The mode of a new file, as far as the user's umask allows it.
const NEW_FILE: u32 = 0o666;
/// The mode of a file with a wrapping token.
const PRIVATE: u32 = 0o600;

/// A file's new content and a copy of its old one, both on the disk beside it. Dropped, it leaves
/// neither.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    new: Option<NamedTempFile>,
    old: Option<NamedTempFile>,
    done: bool,
}

impl Staged {
    pub(super) fn new(path: &Path, change: &Change, private: bool) -> io::Result<Self> {
        let stage = |bytes: &Option<Vec<u8>>, private| {
            bytes
                .as_ref()
                .map(|bytes| beside(path, bytes, private))
                .transpose()
        };
        Ok(Self {
            path: path.to_owned(),
            new: stage(&change.after, private)?,
            old: stage(&change.before, false)?,
            done: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the new content in place, in one step.
    pub(super) fn put(&mut self) -> io::Result<()> {
        match (self.new.take(), &self.old) {
            (Some(new), Some(_)) => new
                .persist(&self.path)
                .map(drop)
                .map_err(|error| error.error)?,
            (Some(new), None) => new
                .persist_noclobber(&self.path)
                .map(drop)
                .map_err(|error| error.error)?,
            (None, _) => fs::remove_file(&self.path)?,
        }
        self.done = true;
        Ok(())
    }

    /// Puts the old content back, if the new one was put in place.
    pub(super) fn put_back(&mut self) -> io::Result<()> {
        if !self.done {
            return Ok(());
        }
        match self.old.take() {
            Some(old) => old
                .persist(&self.path)
                .map(drop)
                .map_err(|error| error.error),
            None => fs::remove_file(&self.path),
        }
    }
}

/// A file beside `path` with `bytes`, flushed, with the owner and the mode that `path` has.
fn beside(path: &Path, bytes: &[u8], private: bool) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let there = fs::metadata(path).ok();
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    if !private && there.is_none() {
        builder.permissions(Permissions::from_mode(NEW_FILE));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Some(there) = there {
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (there.uid(), there.gid()) {
            // somebody who may write here, but not for this owner, leaves the file as their own
            let _ = fchown(file.as_file(), Some(there.uid()), Some(there.gid()));
        }
        let mode = if private {
            PRIVATE
        } else {
            there.mode() & 0o7777
        };
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}
