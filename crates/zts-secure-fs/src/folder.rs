//! Folders by descriptor, and files in them.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, fchmod, fstat, openat},
    process::geteuid,
};

use crate::{
    access::to_mode,
    error::{Error, OTHER_OWNER, WRITABLE_BY_OTHERS},
    platform::path_of,
    walk::{DIRECTORY, Guard, NewModes, create_directory, walk},
};

/// An open folder. It stays the same folder when its path leads elsewhere later.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scratch = zts_testkit::scratch_dir();
/// # let path = &*scratch;
/// use zts_secure_fs::{Folder, Guard};
///
/// let parent = Folder::create(&path.join("vault"), Guard::Strict, 0o755, 0o755)?;
/// let folder = parent.create_private("approle".as_ref())?;
/// std::fs::write(folder.within("role-id"), "example")?;
/// assert!(path.join("vault/approle/role-id").is_file());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Folder {
    directory: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens an existing folder.
    ///
    /// # Errors
    /// A missing folder ([`Error::is_absent`]), a folder or link on the way that `guard` refuses,
    /// and the system's errors.
    pub fn open(path: &Path, guard: Guard) -> Result<Self, Error> {
        Self::walk_to(path, guard, None)
    }

    /// Opens a folder. Creates it with the mode `last` where it is missing, and those above it with
    /// the mode `above`. New folders get no entry of a default access control list.
    ///
    /// # Errors
    /// A folder or link on the way that `guard` refuses, and the system's errors.
    pub fn create(path: &Path, guard: Guard, above: u32, last: u32) -> Result<Self, Error> {
        Self::walk_to(path, guard, Some(NewModes { above, last }))
    }

    fn walk_to(path: &Path, guard: Guard, new_modes: Option<NewModes>) -> Result<Self, Error> {
        let end = walk(path, guard, new_modes)?;
        if !end.rest.is_empty() {
            return Err(Error::io("open", path, end.found));
        }
        Ok(Self {
            directory: end.directory,
            path: path.to_owned(),
        })
    }

    /// Opens a folder in this one that only this user may change. Creates it with the mode 0700
    /// where it is missing. Does not follow a link.
    ///
    /// # Errors
    /// A folder that another user may change, and the system's errors.
    pub fn create_private(&self, name: &OsStr) -> Result<Self, Error> {
        match create_directory(&self.directory, name, 0o700) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::io("make", &self.path.join(name), cause))
            }
            _ => self.open_private(name),
        }
    }

    /// Opens an existing folder in this one that only this user may change. Does not follow a link.
    ///
    /// # Errors
    /// A missing folder, one that another user may change, and the system's errors.
    pub fn open_private(&self, name: &OsStr) -> Result<Self, Error> {
        let Self { directory, path } = self.open_entry(name)?;
        let stat = fstat(&directory).map_err(|cause| Error::io("look at", &path, cause))?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(Error::refused(&path, OTHER_OWNER));
        }
        // the group's bits are the mask of an access control list: without them it grants nothing
        if stat.st_mode & 0o022 != 0 {
            return Err(Error::refused(&path, WRITABLE_BY_OTHERS));
        }
        Ok(Self { directory, path })
    }

    /// Opens an existing folder in this one, of any user. Does not follow a link.
    ///
    /// # Errors
    /// A missing folder, and the system's errors.
    pub fn open_entry(&self, name: &OsStr) -> Result<Self, Error> {
        let path = self.path.join(name);
        let directory = openat(&self.directory, name, DIRECTORY, Mode::empty())
            .map_err(|cause| Error::io("open", &path, cause))?;
        Ok(Self { directory, path })
    }

    /// Returns the path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the folder again as a file, which can be locked and flushed.
    ///
    /// # Errors
    /// The system's errors.
    pub fn reopen(&self) -> Result<File, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.directory, ".", flags, Mode::empty())
            .map(File::from)
            .map_err(|cause| Error::io("open", &self.path, cause))
    }

    /// Waits until the names of the folder's entries are on the disk.
    ///
    /// # Errors
    /// The system's errors.
    pub fn flush(&self) -> Result<(), Error> {
        let flushed = self.reopen()?.sync_all();
        flushed.map_err(|cause| Error::io("write to", &self.path, cause))
    }

    /// Changes the folder's mode.
    ///
    /// # Errors
    /// The system's errors.
    pub fn set_mode(&self, mode: u32) -> Result<(), Error> {
        fchmod(self.reopen()?, to_mode(mode))
            .map_err(|cause| Error::io("change the mode of", &self.path, cause))
    }

    /// Returns a path to `name` in this folder for functions that take paths. It leads to the open
    /// folder, also after that was moved. It is valid while `self` lives.
    pub fn within(&self, name: impl AsRef<Path>) -> PathBuf {
        path_of(&self.directory, &self.path).join(name)
    }

    /// Opens the same folder once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            directory: self.directory.try_clone()?,
            path: self.path.clone(),
        })
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// A file that may be created or replaced: its folder after every link, and its name there.
#[derive(Debug)]
pub struct ResolvedFile {
    /// The folder, after every link.
    pub folder: Folder,
    /// The name of the file, which is not a link.
    pub name: OsString,
}

impl ResolvedFile {
    /// Resolves the path of a file, which may be missing; its folder must exist.
    ///
    /// # Errors
    /// A missing folder, a folder or link on the way that `guard` refuses, a directory in place of
    /// the file, and the system's errors.
    pub fn resolve(path: &Path, guard: Guard) -> Result<Self, Error> {
        let end = walk(path, guard, None)?;
        match <[OsString; 1]>::try_from(end.rest) {
            Ok([name]) => Ok(Self {
                folder: Folder {
                    directory: end.directory,
                    path: parent_of(path).to_owned(),
                },
                name,
            }),
            Err(_) => Err(Error::io("open", path, end.found)),
        }
    }

    /// Returns a path to the file for functions that take paths, as [`Folder::within`] does.
    pub fn path(&self) -> PathBuf {
        self.folder.within(&self.name)
    }
}

/// Returns the folder that `path` is in; `.` for a name alone.
pub fn parent_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
