//! The counterparts on macOS, where the operators' programs run.
//!
//! Three guarantees are weaker than on Linux:
//! - A directory on the way must be readable, not only searchable.
//! - A link is read by its name after its owner was checked. The path to an open directory is the
//!   one that it has now, and other users could exchange both. That matters to root only.
//! - Access control lists are neither read nor removed: they need functions without a safe
//!   interface.

use std::{
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{OFlags, getpath, readlinkat},
    io::Errno,
};

/// Opens an entry for reading, a link itself. Does not wait for the writer of a named pipe.
pub(crate) const ENTRY: OFlags = OFlags::SYMLINK
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Returns whether a file lacks an extended attribute, or its file system has none.
pub(crate) fn lacks_attribute(cause: Errno) -> bool {
    matches!(cause, Errno::NOATTR | Errno::NOTSUP | Errno::OPNOTSUPP)
}

/// Returns the target of the link `name`.
pub(crate) fn read_link(
    directory: &OwnedFd,
    name: &OsStr,
    _: &OwnedFd,
) -> rustix::io::Result<CString> {
    readlinkat(directory, name, Vec::new())
}

/// Returns the present path of an open directory, or `opened`, by which it was opened.
pub(crate) fn path_of(directory: &OwnedFd, opened: &Path) -> PathBuf {
    getpath(directory).map_or_else(
        |_| opened.to_owned(),
        |path| OsString::from_vec(path.into_bytes()).into(),
    )
}
