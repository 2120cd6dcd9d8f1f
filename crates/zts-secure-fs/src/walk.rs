//! Opens a path one component at a time.

use std::{
    ffi::{OsStr, OsString},
    io::{self, ErrorKind},
    os::unix::ffi::OsStringExt,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, open, openat},
    io::Errno,
    process::geteuid,
};

use crate::{
    access::{remove_acls, to_mode},
    acl,
    error::{CHANGEABLE, Error, FOREIGN_LINK},
    platform::{ENTRY, read_link},
};

/// The folders and links that root refuses to pass on the way to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Every folder must belong to root, and others may write to it only if it is sticky, as `/tmp`
    /// is. Every symbolic link must belong to root. For secrets.
    Strict,
    /// Every symbolic link must belong to root. For files without a secret in clear, in folders
    /// that may belong to a service.
    Links,
}

/// The modes of folders that a walk creates.
#[derive(Clone, Copy)]
pub(crate) struct NewModes {
    /// Of the folders above the last one.
    pub(crate) above: u32,
    /// Of the last one.
    pub(crate) last: u32,
}

/// The end of a walk.
pub(crate) struct End {
    /// The last directory that exists.
    pub(crate) directory: OwnedFd,
    /// The components from the first that is missing or not a directory; none if the path is a
    /// directory.
    pub(crate) rest: Vec<OsString>,
    /// The finding there, as an error. A second look could find what another process has put there
    /// meanwhile.
    pub(crate) found: Errno,
}

/// The kernel's limit for links on a path.
const MAX_LINKS: u32 = 40;

/// Opens a directory for its entries, and not through a link.
pub(crate) const DIRECTORY: OFlags = ENTRY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);

/// Checks that no other user could redirect root on the way to `path`, which may be missing.
///
/// # Errors
/// A folder or link that `guard` refuses, and the system's errors.
pub fn check_path(path: &Path, guard: Guard) -> Result<(), Error> {
    Walk::new(path, guard)?.run(None).map(drop)
}

/// Opens `path` one component at a time. Creates missing folders if `new_modes` is given.
pub(crate) fn walk(path: &Path, guard: Guard, new_modes: Option<NewModes>) -> Result<End, Error> {
    Walk::new(path, guard)?.run(new_modes)
}

struct Walk {
    guard: Option<Guard>,
    directory: OwnedFd,
    /// The path of `directory` without links.
    path: PathBuf,
    /// The remaining components, the next one last.
    rest: Vec<OsString>,
    links: u32,
}

impl Walk {
    fn new(path: &Path, guard: Guard) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(|cause| Error::io("look at", path, cause))?;
        let walk = Self {
            // another user can be redirected only to files that this user may change anyway
            guard: geteuid().is_root().then_some(guard),
            directory: open_root()?,
            path: "/".into(),
            rest: components(&path).rev().map(OsStr::to_owned).collect(),
            links: 0,
        };
        walk.inspect()?;
        Ok(walk)
    }

    fn run(mut self, new_modes: Option<NewModes>) -> Result<End, Error> {
        while let Some(name) = self.rest.pop() {
            let path = self.path.join(&name);
            let entry = match openat(&self.directory, &name, ENTRY, Mode::empty()) {
                Ok(entry) => entry,
                Err(Errno::NOENT) => match new_modes {
                    Some(modes) => self.create(&name, modes)?,
                    None => return Ok(self.end(name, Errno::NOENT)),
                },
                Err(cause) => return Err(Error::io("open", &path, cause)),
            };
            let stat = fstat(&entry).map_err(|cause| Error::io("look at", &path, cause))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => self.follow(&name, &entry, &stat)?,
                FileType::Directory => self.enter(entry, &name)?,
                _ => return Ok(self.end(name, Errno::NOTDIR)),
            }
        }
        Ok(End {
            directory: self.directory,
            rest: Vec::new(),
            found: Errno::ISDIR,
        })
    }

    fn end(self, name: OsString, found: Errno) -> End {
        let rest = std::iter::once(name).chain(self.rest.into_iter().rev());
        End {
            directory: self.directory,
            rest: rest.collect(),
            found,
        }
    }

    fn enter(&mut self, directory: OwnedFd, name: &OsStr) -> Result<(), Error> {
        if name == ".." {
            self.path.pop();
        } else {
            self.path.push(name);
        }
        self.directory = directory;
        self.inspect()
    }

    /// Refuses the current folder if another user could replace an entry in it.
    fn inspect(&self) -> Result<(), Error> {
        if self.guard != Some(Guard::Strict) {
            return Ok(());
        }
        let fail = |cause: Errno| Error::io("look at", &self.path, cause);
        let stat = fstat(&self.directory).map_err(fail)?;
        // in a folder such as `/tmp` only the owner of an entry may replace it
        let is_sticky = stat.st_mode & 0o1000 != 0;
        if stat.st_uid != 0
            || !is_sticky && acl::is_writable_by_others(&self.directory, &stat).map_err(fail)?
        {
            return Err(Error::refused(&self.path, CHANGEABLE));
        }
        Ok(())
    }

    fn follow(&mut self, name: &OsStr, link: &OwnedFd, stat: &Stat) -> Result<(), Error> {
        let path = &self.path.join(name);
        if self.guard.is_some() && stat.st_uid != 0 {
            return Err(Error::refused(path, FOREIGN_LINK));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Error::io("open", path, Errno::LOOP));
        }
        let target = read_link(&self.directory, name, link)
            .map_err(|cause| Error::io("read", path, cause))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        self.rest
            .extend(components(&target).rev().map(OsStr::to_owned));
        if target.is_absolute() {
            self.directory = open_root()?;
            self.path = "/".into();
        }
        Ok(())
    }

    /// Creates a folder. One that another process created meanwhile is inspected as any other.
    fn create(&self, name: &OsStr, modes: NewModes) -> Result<OwnedFd, Error> {
        let path = self.path.join(name);
        let mode = if self.rest.is_empty() {
            modes.last
        } else {
            modes.above
        };
        match create_directory(&self.directory, name, mode) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("make", &path, cause));
            }
            _ => {}
        }
        openat(&self.directory, name, ENTRY, Mode::empty())
            .map_err(|cause| Error::io("make", &path, cause))
    }
}

/// Creates a directory with exactly this mode, whatever the umask and the default access control
/// list of its parent are.
pub(crate) fn create_directory(parent: &OwnedFd, name: &OsStr, mode: u32) -> io::Result<()> {
    let mode = to_mode(mode);
    mkdirat(parent, name, mode)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let created = openat(parent, name, flags, Mode::empty())?;
    if fstat(&created)?.st_uid != geteuid().as_raw() {
        return Ok(()); // another process has put its own there
    }
    remove_acls(&created)?;
    // the list had the mode in it
    if Mode::from_raw_mode(fstat(&created)?.st_mode & 0o7777) != mode {
        fchmod(&created, mode)?;
    }
    Ok(())
}

fn open_root() -> Result<OwnedFd, Error> {
    open("/", DIRECTORY, Mode::empty()).map_err(|cause| Error::io("open", Path::new("/"), cause))
}

/// Returns the components of a path. `..` is one of them, because a link may lead to a folder with
/// another parent.
fn components(path: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}
