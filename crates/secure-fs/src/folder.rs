//! Folders and files by descriptor.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, fchmod, fstat, openat},
    io::Errno,
    process::geteuid,
};

use crate::{
    error::{Error, OF_ANOTHER, WRITABLE},
    walk::{Guard, Make, walk},
};

/// A folder that was walked to, and is kept open: whatever becomes of its path, this is the folder
/// that was looked at.
#[derive(Debug)]
pub struct Folder {
    directory: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder that exists.
    ///
    /// # Errors
    /// One that does not exist ([`Error::is_absent`]), a folder or link of another user's on the way,
    /// and the system's errors.
    pub fn open(path: &Path, guard: Guard) -> Result<Self, Error> {
        Self::reach(path, guard, None)
    }

    /// Opens a folder; where it is missing, makes it with the mode `last`, and those above it with the
    /// mode `above`. What a default access control list would add is taken away from those it makes.
    ///
    /// # Errors
    /// A folder or link of another user's on the way, and the system's errors.
    pub fn make(path: &Path, guard: Guard, above: u32, last: u32) -> Result<Self, Error> {
        Self::reach(path, guard, Some(Make { above, last }))
    }

    fn reach(path: &Path, guard: Guard, make: Option<Make>) -> Result<Self, Error> {
        let end = walk(path, guard, make)?;
        let Some(name) = end.rest.first() else {
            return Ok(Self {
                directory: end.directory,
                path: path.to_owned(),
            });
        };
        let cause = match crate::walk::look(&end.directory, name) {
            Ok(_) => Errno::NOTDIR,
            Err(cause) => cause,
        };
        Err(Error::io("open", path, cause))
    }

    /// Opens a folder that only this user may change; where it is missing, makes it with the mode 0700
    /// in its parent, which must exist. Its last component is no link.
    ///
    /// # Errors
    /// As [`Folder::open`], and a folder that another user may change.
    pub fn private(&self, name: &OsStr) -> Result<Self, Error> {
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&self.directory, name, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(cause) => return Err(Error::io("make", &path, cause)),
        }
        self.existing_private(name)
    }

    /// Opens a folder in this one that only this user may change.
    ///
    /// # Errors
    /// One that does not exist, or that another user may change.
    pub fn existing_private(&self, name: &OsStr) -> Result<Self, Error> {
        let Self { directory, path } = self.entry(name)?;
        let stat = fstat(&directory).map_err(|cause| Error::io("look at", &path, cause))?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(Error::refused(&path, OF_ANOTHER));
        }
        // the group's bits are the mask of an access control list: without them it grants nothing
        if stat.st_mode & 0o022 != 0 {
            return Err(Error::refused(&path, WRITABLE));
        }
        Ok(Self { directory, path })
    }

    /// Opens a folder in this one, whoever may change it; no link.
    ///
    /// # Errors
    /// One that does not exist, and the system's errors.
    pub fn entry(&self, name: &OsStr) -> Result<Self, Error> {
        let path = self.path.join(name);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(&self.directory, name, flags, Mode::empty())
            .map_err(|cause| Error::io("open", &path, cause))?;
        Ok(Self { directory, path })
    }

    /// The path that it was walked to by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for locking, flushing, listing and changes of its mode.
    ///
    /// # Errors
    /// The system's errors.
    pub fn file(&self) -> Result<File, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.directory, ".", flags, Mode::empty())
            .map(File::from)
            .map_err(|cause| Error::io("open", &self.path, cause))
    }

    /// Waits until the names of its entries are on the disk.
    ///
    /// # Errors
    /// The system's errors.
    pub fn flush(&self) -> Result<(), Error> {
        let flushed = self.file()?.sync_all();
        flushed.map_err(|cause| Error::io("write to", &self.path, cause))
    }

    /// Changes its mode.
    ///
    /// # Errors
    /// The system's errors.
    pub fn set_mode(&self, mode: u32) -> Result<(), Error> {
        fchmod(self.file()?, Mode::from_raw_mode(mode))
            .map_err(|cause| Error::io("change the mode of", &self.path, cause))
    }

    /// A path to `name` in this folder for functions that take paths. It leads to the folder that is
    /// open, wherever that was moved, and is good as long as `self` lives.
    pub fn within(&self, name: impl AsRef<Path>) -> PathBuf {
        let descriptor = self.directory.as_raw_fd();
        Path::new(&format!("/proc/self/fd/{descriptor}")).join(name)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// A file that may be made or replaced: the folder that it really is in, and its name there.
#[derive(Debug)]
pub struct Place {
    /// The folder, after every link.
    pub folder: Folder,
    /// The name of the file, which is no link.
    pub name: OsString,
}

impl Place {
    /// Walks to a file, which need not exist yet; its folder must.
    ///
    /// # Errors
    /// A folder that does not exist, a folder or link of another user's on the way, a directory in
    /// place of the file, and the system's errors.
    pub fn find(path: &Path, guard: Guard) -> Result<Self, Error> {
        let end = walk(path, guard, None)?;
        let cause = match <[OsString; 1]>::try_from(end.rest) {
            Ok([name]) => {
                let folder = Folder {
                    directory: end.directory,
                    path: path.parent().unwrap_or(Path::new("/")).to_owned(),
                };
                return Ok(Self { folder, name });
            }
            Err(rest) if rest.is_empty() => Errno::ISDIR,
            Err(rest) => match crate::walk::look(&end.directory, &rest[0]) {
                Ok(_) => Errno::NOTDIR,
                Err(cause) => cause,
            },
        };
        Err(Error::io("open", path, cause))
    }

    /// A path to the file for functions that take paths, as [`Folder::within`].
    pub fn path(&self) -> PathBuf {
        self.folder.within(&self.name)
    }
}
