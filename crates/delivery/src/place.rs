//! Where a program that runs as root may safely write.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The nearest folder above `path` in which another user could put something else in its place, such
/// as a symbolic link that root then follows; `None` where there is none, or this process is not root,
/// and so can be led to nothing that is not its user's own.
///
/// `path` itself and folders above it need not exist yet.
///
/// # Errors
/// What the system says where a folder cannot be looked at.
pub fn changeable_by_others(path: &Path) -> io::Result<Option<PathBuf>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let path = std::path::absolute(path)?;
    let existing = path
        .ancestors()
        .skip(1)
        .find_map(|folder| match folder.canonicalize() {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            found => Some(found),
        });
    let existing = existing.transpose()?.unwrap_or_else(|| "/".into());
    for folder in existing.ancestors() {
        if is_others(&fs::metadata(folder)?) {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

fn is_others(folder: &Metadata) -> bool {
    let group_writes = folder.mode() & 0o020 != 0 && folder.gid() != 0;
    let others_write = folder.mode() & 0o002 != 0;
    // in a folder such as `/tmp` each entry is its owner's alone
    let is_sticky = folder.mode() & 0o1000 != 0;
    folder.uid() != 0 || (group_writes || others_write) && !is_sticky
}
