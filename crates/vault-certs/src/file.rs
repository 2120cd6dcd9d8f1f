//! Atomic writing of files.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use zts_cli::Failure;
use zts_secure_fs::{Access, Draft, Folder, Guard, LARGEST_TEXT, parent_of, read_bounded};

/// The prefix of drafts' names. An interrupted run leaves one behind.
pub(crate) const DRAFT_PREFIX: &str = ".vault-certs-";

/// Replaces a file whose content, mode or group differs. Returns whether it did.
///
/// # Errors
/// The folder or the file cannot be written.
pub(crate) fn replace(
    path: &Path,
    content: &[u8],
    mode: u32,
    group: Option<u32>,
) -> Result<bool, Failure> {
    if is_current(path, content, mode, group) {
        return Ok(false);
    }
    let access = group.map_or(Access::Mode(mode), |group| {
        Access::ModeAndGroup(mode, group)
    });
    let replaced =
        create_draft(path).and_then(|draft| draft.write(content, access)?.replace(name(path)));
    replaced.map_err(|cause| unwritable(path, &cause))?;
    Ok(true)
}

/// Returns whether [`replace`] would change nothing.
pub(crate) fn is_current(path: &Path, content: &[u8], mode: u32, group: Option<u32>) -> bool {
    let same_owner = fs::metadata(path).is_ok_and(|metadata| {
        metadata.permissions().mode() & 0o777 == mode
            && group.is_none_or(|group| metadata.gid() == group)
    });
    same_owner && read_bounded(path, LARGEST_TEXT).is_ok_and(|current| current == content)
}

/// Creates a new file for its owner only.
///
/// # Errors
/// The file exists ([`io::ErrorKind::AlreadyExists`]), or cannot be written.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    create_draft(path)?
        .write(content, Access::Mode(0o600))?
        .create(name(path))
}

/// Creates a draft for a file, in a folder where no other user can redirect root.
fn create_draft(path: &Path) -> io::Result<Draft> {
    Folder::open(parent_of(path), Guard::Strict)?.unique_draft(DRAFT_PREFIX)
}

/// Flushes a folder to disk, so that a power failure does not undo a change in it.
pub(crate) fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Returns the failure for a file that cannot be read.
pub(crate) fn unreadable(path: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` could not be read: {cause}", path.display()))
}

/// Returns the failure for a file that cannot be written.
pub(crate) fn unwritable(path: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!(
        "`{}` could not be written: {cause}",
        path.display()
    ))
}
