//! Files that are written whole or not at all.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{PermissionsExt, fchown},
    path::Path,
};

use cli::Failure;

/// Replaces a file, if it holds something else or is somebody else's; says whether it did.
///
/// # Errors
/// A folder or a file that cannot be written.
pub(crate) fn put(
    path: &Path,
    content: &[u8],
    mode: u32,
    group: Option<u32>,
) -> Result<bool, Failure> {
    if is_so(path, content, mode) {
        return Ok(false);
    }
    write(path, content, mode, group).map_err(|cause| unwritable(path, &cause))?;
    Ok(true)
}

fn is_so(path: &Path, content: &[u8], mode: u32) -> bool {
    let same_mode =
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o777 == mode);
    same_mode && fs::read(path).is_ok_and(|there| there == content)
}

fn write(path: &Path, content: &[u8], mode: u32, group: Option<u32>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    draft.write_all(content)?;
    if group.is_some() {
        fchown(draft.as_file(), None, group)?;
    }
    // Only now may others read it.
    draft
        .as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    File::open(folder)?.sync_all()
}

/// What a person is told.
pub(crate) fn unwritable(path: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!(
        "`{}` could not be written: {cause}",
        path.display()
    ))
}
