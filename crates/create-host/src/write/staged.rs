//! One file on its way.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::Mode;
use secure_fs::{Guard, Place, copy_access, remove_acls};
use tempfile::NamedTempFile;

use super::PREFIX;
use crate::plan::Change;

/// The mode of a new file, as far as the user's umask allows it.
const NEW_FILE: u32 = 0o664;
/// The mode of a file with a wrapping token.
const PRIVATE: u32 = 0o600;

/// A file's new content and a copy of its old one, both on the disk beside it, for this user only: either
/// may hold a token. Dropped, it leaves neither.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    new: Option<NamedTempFile>,
    old: Option<NamedTempFile>,
    /// The file that is replaced.
    there: Option<File>,
    private: bool,
    done: bool,
    /// The folder that it is in and its name there. The folder is open, and nobody can lead root out of
    /// it; the drafts are removed through it, so it is dropped last.
    place: Place,
}

impl Staged {
    pub(super) fn new(path: &Path, change: &Change, private: bool) -> io::Result<Self> {
        let place = Place::find(path, Guard::Links)?;
        let stage = |bytes: &Option<Vec<u8>>| {
            let staged = bytes.as_ref().map(|bytes| beside(&place, bytes));
            staged.transpose()
        };
        Ok(Self {
            path: path.to_owned(),
            new: stage(&change.after)?,
            old: stage(&change.before)?,
            there: File::open(place.path()).ok(),
            private,
            done: false,
            place,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the new content in place, in one step.
    pub(super) fn put(&mut self) -> io::Result<()> {
        let put = match (self.new.take(), &self.old) {
            (Some(new), Some(_)) => Some(new.persist(self.place.path())?),
            (Some(new), None) => Some(new.persist_noclobber(self.place.path())?),
            (None, _) => {
                fs::remove_file(self.place.path())?;
                None
            }
        };
        self.done = true;
        // only now: under its name as a draft nobody else may read it
        put.map_or(Ok(()), |put| self.open_up(&put, self.private))
    }

    /// Puts the old content back, if the new one was put in place.
    pub(super) fn put_back(&mut self) -> io::Result<()> {
        if !self.done {
            return Ok(());
        }
        match self.old.take() {
            Some(old) => {
                let put = old.persist(self.place.path())?;
                self.open_up(&put, false)
            }
            None => fs::remove_file(self.place.path()),
        }
    }

    /// Gives a file that was put in place the access that it is to have.
    fn open_up(&self, put: &File, private: bool) -> io::Result<()> {
        match &self.there {
            _ if private => put.set_permissions(Permissions::from_mode(PRIVATE)),
            Some(there) => copy_access(there, put),
            None => put.set_permissions(Permissions::from_mode(NEW_FILE & !umask())),
        }
    }
}

/// The bits that this user's new files do not have.
fn umask() -> u32 {
    let none = Mode::from_raw_mode(0o077);
    let mask = rustix::process::umask(none);
    rustix::process::umask(mask);
    mask.as_raw_mode()
}

/// A file with `bytes` for this user only, in the folder of `place`, flushed.
fn beside(place: &Place, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(place.folder.within(""))?;
    remove_acls(file.as_file())?; // the folder's would come into force with the mode
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}
