//! Opens a path one component at a time.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStringExt,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, mkdirat, open, openat, readlinkat, statat},
    io::Errno,
    process::geteuid,
};

use crate::{
    access::remove_acls,
    acl,
    error::{CHANGEABLE, Error, FOREIGN_LINK},
};

/// What root refuses on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Every folder must be root's, and others may write to it only where it is sticky, as `/tmp` is;
    /// every symbolic link must be root's. For secrets.
    Strict,
    /// Every symbolic link must be root's. For what holds no secret in clear, in folders that may
    /// belong to a service.
    Links,
}

/// The modes of folders that are made: of those above the last one, and of the last one.
#[derive(Clone, Copy)]
pub(crate) struct Make {
    pub(crate) above: u32,
    pub(crate) last: u32,
}

/// Where a walk came to.
pub(crate) struct End {
    /// The last directory that exists.
    pub(crate) directory: OwnedFd,
    /// The components that do not exist, or the one that is no directory; none where the path is one.
    pub(crate) rest: Vec<OsString>,
}

/// As many links as the kernel follows.
const MOST_LINKS: u32 = 40;

const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Sees that no other user could lead root elsewhere on the way to `path`, which need not exist yet.
///
/// # Errors
/// A folder or link of another user's, and the system's errors.
pub fn check(path: &Path, guard: Guard) -> Result<(), Error> {
    Walk::new(path, guard)?.run(None).map(drop)
}

/// Walks to `path`, and makes the folders that are missing if `make` says so.
pub(crate) fn walk(path: &Path, guard: Guard, make: Option<Make>) -> Result<End, Error> {
    Walk::new(path, guard)?.run(make)
}

struct Walk {
    guard: Option<Guard>,
    at: OwnedFd,
    /// The path of `at` without links.
    shown: PathBuf,
    /// The components ahead, the next one last.
    ahead: Vec<OsString>,
    links: u32,
}

impl Walk {
    fn new(path: &Path, guard: Guard) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(|cause| Error::io("look at", path, cause))?;
        let walk = Self {
            // anybody else can be led to nothing that is not theirs
            guard: geteuid().is_root().then_some(guard),
            at: root()?,
            shown: "/".into(),
            ahead: components(&path).rev().map(OsStr::to_owned).collect(),
            links: 0,
        };
        walk.inspect()?;
        Ok(walk)
    }

    fn run(mut self, make: Option<Make>) -> Result<End, Error> {
        while let Some(name) = self.ahead.pop() {
            let path = self.shown.join(&name);
            let found = match openat(&self.at, &name, LOOK, Mode::empty()) {
                Ok(found) => found,
                Err(Errno::NOENT) => match make {
                    Some(make) => self.make(&name, make)?,
                    None => return Ok(self.end(name)),
                },
                Err(cause) => return Err(Error::io("open", &path, cause)),
            };
            let stat = fstat(&found).map_err(|cause| Error::io("look at", &path, cause))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => self.follow(&found, &stat, &path)?,
                FileType::Directory => self.enter(found, &name)?,
                _ => return Ok(self.end(name)),
            }
        }
        Ok(End {
            directory: self.at,
            rest: Vec::new(),
        })
    }

    fn end(self, name: OsString) -> End {
        let rest = std::iter::once(name).chain(self.ahead.into_iter().rev());
        End {
            directory: self.at,
            rest: rest.collect(),
        }
    }

    fn enter(&mut self, directory: OwnedFd, name: &OsStr) -> Result<(), Error> {
        if name == ".." {
            self.shown.pop();
        } else {
            self.shown.push(name);
        }
        self.at = directory;
        self.inspect()
    }

    /// Refuses a folder in which another user could put something else in the place of an entry.
    fn inspect(&self) -> Result<(), Error> {
        if self.guard != Some(Guard::Strict) {
            return Ok(());
        }
        let look = |cause: Errno| Error::io("look at", &self.shown, cause);
        let stat = fstat(&self.at).map_err(look)?;
        // in a folder such as `/tmp` each entry is its owner's alone
        let is_sticky = stat.st_mode & 0o1000 != 0;
        if stat.st_uid != 0 || !is_sticky && acl::others_write(&self.at, &stat).map_err(look)? {
            return Err(Error::refused(&self.shown, CHANGEABLE));
        }
        Ok(())
    }

    fn follow(&mut self, link: &OwnedFd, stat: &Stat, path: &Path) -> Result<(), Error> {
        if self.guard.is_some() && stat.st_uid != 0 {
            return Err(Error::refused(path, FOREIGN_LINK));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Error::io("open", path, Errno::LOOP));
        }
        let target =
            readlinkat(link, "", Vec::new()).map_err(|cause| Error::io("read", path, cause))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        self.ahead
            .extend(components(&target).rev().map(OsStr::to_owned));
        if target.is_absolute() {
            self.at = root()?;
            self.shown = "/".into();
        }
        Ok(())
    }

    /// Makes a folder. Where somebody else was faster, theirs is looked at as any other.
    fn make(&self, name: &OsStr, make: Make) -> Result<OwnedFd, Error> {
        let path = self.shown.join(name);
        let fail = |cause| Error::io("make", &path, cause);
        let mode = if self.ahead.is_empty() {
            make.last
        } else {
            make.above
        };
        let is_new = match mkdirat(&self.at, name, Mode::from_raw_mode(mode)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(cause) => return Err(fail(cause)),
        };
        if is_new {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fresh = openat(&self.at, name, flags, Mode::empty()).map_err(fail)?;
            let stat = fstat(&fresh).map_err(fail)?;
            if stat.st_uid == geteuid().as_raw() {
                remove_acls(&fresh).map_err(|cause| Error::io("make", &path, cause))?;
            }
        }
        openat(&self.at, name, LOOK, Mode::empty()).map_err(fail)
    }
}

fn root() -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open("/", flags, Mode::empty()).map_err(|cause| Error::io("open", Path::new("/"), cause))
}

/// The names on the way; a parent is one, for a link may lead to a folder with another parent.
fn components(path: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// Returns what stands at `name` in a directory, without following a link.
pub(crate) fn look(directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<Stat> {
    statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}
