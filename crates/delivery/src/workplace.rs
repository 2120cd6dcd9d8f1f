//! The hidden folder beside an output directory in which the next set of files is made ready.
//!
//! `/run/secrets/db` has `/run/secrets/.db.vault-fetch` beside it, which only this user may enter. It
//! holds the lock that lets one run at a time write, the set that is being written (`new`), the set
//! that was replaced last (`previous`: a reader that has the old directory open can finish), notes of
//! what was written (`written`) and when the files changed last (`changed`), and, while a new version is
//! on trial, the other set (`rollback`) with a note (`trial`). That it exists says that the output
//! directory is vault-fetch's.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::{FlockOperation, flock};
use secure_fs::{Folder, Guard, remove_acls};

use crate::{Deployed, Standing, error::Error, private_file, standing, trial};

/// The folder, locked until this is dropped.
pub struct Workplace {
    target: PathBuf,
    folder: PathBuf,
    _lock: File,
}

impl Workplace {
    /// Makes and locks the folder beside `target`.
    ///
    /// A `target` that holds something and has no such folder beside it was not made by vault-fetch,
    /// and is refused: it is going to be replaced as a whole.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn open(target: &Path) -> Result<Self, Error> {
        let refuse = |reason| Error::Output {
            path: target.to_owned(),
            reason,
        };
        let folder = beside(target).ok_or_else(|| refuse("cannot be replaced as a whole"))?;
        let parent = make_shared(parent_of(&folder))?;
        if holds_something(target)? && !folder.exists() {
            return Err(refuse("holds files that vault-fetch did not write"));
        }
        let name = folder.file_name().unwrap_or_default();
        let lock = parent.private(name)?.file()?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|cause| Error::io("lock", &folder, cause))?;
        Ok(Self {
            target: target.to_owned(),
            folder,
            _lock: lock,
        })
    }

    /// Whether vault-fetch ever wrote to `target`.
    pub fn is_there(target: &Path) -> bool {
        beside(target).is_some_and(|folder| folder.exists())
    }

    /// The folder that belongs to `target`, whether or not it is there; none for `/` and the like.
    pub fn folder_of(target: &Path) -> Option<PathBuf> {
        beside(target)
    }

    /// The hidden folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The directory that readers know.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// An empty directory for the next set; what a killed run left there is gone.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn fresh(&self) -> Result<PathBuf, Error> {
        let path = self.folder.join("new");
        remove(&path)?;
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .and_then(|()| remove_acls(File::open(&path)?)) // what is made in it would inherit them
            .map_err(|cause| Error::io("make", &path, cause))?;
        Ok(path)
    }

    /// Takes away what a failed or killed run made: it fills the disk, and nobody is going to read it.
    pub fn discard(&self) {
        let _ = remove(&self.folder.join("new")); // the next run tries again, and tells
    }

    /// Puts the replaced set, which stands at `path`, where only open readers still see it.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn retire(&self, path: &Path) -> Result<(), Error> {
        let previous = self.folder.join("previous");
        remove(&previous)?;
        fs::rename(path, &previous).map_err(|cause| Error::io("move away", path, cause))
    }

    /// Takes the output directory away, and all that is left of it here.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn clear(&self) -> Result<(), Error> {
        // a run that has an older answer must see that something happened
        if let Some(standing) = self.standing() {
            let at = SystemTime::now();
            self.note(&Standing { at, ..standing })?;
        }
        let gone = self.folder.join("new");
        remove(&gone)?;
        match fs::rename(&self.target, &gone) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &self.target, cause));
            }
            _ => {}
        }
        SETS.into_iter()
            .chain(trial::FILES)
            .try_for_each(|name| remove(&self.folder.join(name)))
    }

    /// Takes the output directory away, and this folder with what this program made in it; anything
    /// else in it stays, and is an error.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn remove(self) -> Result<(), Error> {
        self.clear()?;
        let notes = standing::FILES.into_iter().chain(crate::rejection::FILES);
        notes
            .map(|name| self.folder.join(name))
            .try_for_each(|path| private_file::remove(&path))?;
        fs::remove_dir(&self.folder).map_err(|cause| Error::io("remove", &self.folder, cause))
    }

    /// Returns whether writing `mine` would undo what another run wrote since this one saw `before`:
    /// another version, the removal of a deleted secret, or the rollback of this very version.
    pub fn was_overtaken(&self, mine: &Standing, before: &Deployed) -> bool {
        Deployed::of(&self.target).overtakes(mine, before)
    }

    /// Returns whether another run has put files there since this one saw `before`, so that a secret
    /// that was gone then may be back.
    pub fn was_written_since(&self, before: &Deployed) -> bool {
        Deployed::of(&self.target).is_newer_than(before)
    }

    /// Whether the output directory was last written from another secret than `secret`.
    pub fn is_of_another(&self, secret: &str) -> bool {
        self.standing()
            .is_some_and(|standing| standing.secret != secret)
    }

    /// Which version of `secret` stands in the output directory; none where nothing of it does.
    pub fn version_of(&self, secret: &str) -> Option<u64> {
        let standing = self
            .standing()
            .filter(|standing| standing.secret == secret)?;
        self.target.is_dir().then_some(standing.version)
    }

    /// What stands in the output directory, as far as that was noted.
    pub fn standing(&self) -> Option<Standing> {
        Standing::read(&self.folder)
    }

    /// Notes what was written.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn note(&self, standing: &Standing) -> Result<(), Error> {
        standing.write(&self.folder)
    }
}

/// The sets of files in the folder.
const SETS: [&str; 2] = ["new", "previous"];

/// The folder that belongs to `target`; none for `/` and the like.
fn beside(target: &Path) -> Option<PathBuf> {
    let name = [".".as_ref(), target.file_name()?, ".vault-fetch".as_ref()];
    let parent = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let name: OsString = name.into_iter().collect();
    Some(parent.unwrap_or(Path::new(".")).join(name))
}

fn holds_something(target: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(target) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(Error::io("look at", target, cause)),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(Error::Output {
                path: target.to_owned(),
                reason: "is not a directory",
            });
        }
        Ok(_) => {}
    }
    let mut entries =
        fs::read_dir(target).map_err(|cause| Error::io("look into", target, cause))?;
    Ok(entries.next().is_some())
}

/// The folder that `path` is in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Opens a folder in which others find what they know the name of; makes it, and those above it, where
/// they are missing.
pub(crate) fn make_shared(folder: &Path) -> Result<Folder, Error> {
    Ok(Folder::make(folder, Guard::Strict, 0o711, 0o711)?)
}

/// Opens a folder that holds secrets, and refuses one that another user may change.
pub(crate) fn open_private(folder: &Path) -> Result<File, Error> {
    let name = folder.file_name().unwrap_or_default();
    let parent = Folder::open(parent_of(folder), Guard::Strict)?;
    Ok(parent.existing_private(name)?.file()?)
}

/// Removes a set of files, or a file, where it is; never what a link leads to.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(cause) => Err(cause),
    };
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, cause))
        }
        _ => Ok(()),
    }
}
