//! The system calls that only Linux has.

use std::{
    ffi::{CString, OsStr},
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsRawFd, OwnedFd},
    fs::{OFlags, readlinkat},
    io::Errno,
};

/// Opens an entry for its metadata only, a link itself.
pub(crate) const ENTRY: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Returns whether a file lacks an extended attribute, or its file system has none.
pub(crate) fn lacks_attribute(cause: Errno) -> bool {
    matches!(cause, Errno::NODATA | Errno::OPNOTSUPP)
}

/// Returns the target of an open link.
pub(crate) fn read_link(_: &OwnedFd, _: &OsStr, link: &OwnedFd) -> rustix::io::Result<CString> {
    readlinkat(link, "", Vec::new())
}

/// Returns a path that leads to an open directory, also after that was moved.
pub(crate) fn path_of(directory: &OwnedFd, _: &Path) -> PathBuf {
    format!("/proc/self/fd/{}", directory.as_raw_fd()).into()
}
