//! Files that are written whole or not at all.

use std::{
    ffi::OsStr,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::Path,
};

use cli::Failure;
use secure_fs::{Folder, Guard, LARGEST_TEXT, read_bounded, remove_acls};
use tempfile::NamedTempFile;

/// How the names of drafts begin; a run that was killed leaves one behind.
const DRAFT: &str = ".vault-certs-";

/// Replaces a file, if it holds something else or is another group's; says whether it did.
///
/// # Errors
/// A folder or a file that cannot be written.
pub(crate) fn put(
    path: &Path,
    content: &[u8],
    mode: u32,
    group: Option<u32>,
) -> Result<bool, Failure> {
    if is_so(path, content, mode, group) {
        return Ok(false);
    }
    let replaced = open(folder(path)).and_then(|folder| {
        draft(&folder, content, mode, group)?.persist(folder.within(name(path)))?;
        Ok(folder.flush()?)
    });
    replaced.map_err(|cause| unwritable(path, &cause))?;
    Ok(true)
}

/// Whether a file is what [`put`] would make it.
pub(crate) fn is_so(path: &Path, content: &[u8], mode: u32, group: Option<u32>) -> bool {
    let same_owner = fs::metadata(path).is_ok_and(|metadata| {
        metadata.permissions().mode() & 0o777 == mode
            && group.is_none_or(|group| metadata.gid() == group)
    });
    same_owner && read_bounded(path, LARGEST_TEXT).is_ok_and(|there| there == content)
}

/// Makes a file that is not there yet, for its owner only: whole, or not at all.
///
/// # Errors
/// One that is there ([`io::ErrorKind::AlreadyExists`]), or cannot be written.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = open(folder(path))?;
    draft(&folder, content, 0o600, None)?.persist_noclobber(folder.within(name(path)))?;
    Ok(folder.flush()?)
}

/// Opens a folder where no other user can lead root elsewhere.
fn open(folder: &Path) -> io::Result<Folder> {
    Ok(Folder::open(folder, Guard::Strict)?)
}

fn draft(
    folder: &Folder,
    content: &[u8],
    mode: u32,
    group: Option<u32>,
) -> io::Result<NamedTempFile> {
    let mut draft = tempfile::Builder::new()
        .prefix(DRAFT)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder.within(""))?;
    draft.write_all(content)?;
    if group.is_some() {
        fchown(draft.as_file(), None, group)?;
    }
    remove_acls(draft.as_file())?; // the folder's would come into force with the mode
    // Only now may others read it.
    draft
        .as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// Removes what runs that were killed left in a folder. Only for who has it locked.
pub(crate) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| {
        entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(DRAFT.as_bytes())
    }) {
        let _ = fs::remove_file(entry.path()); // one that stays does no harm
    }
}

/// Makes sure that a power cut does not undo what was renamed in a folder.
pub(crate) fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder of a file, also of one that is named without it.
fn folder(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// What a person is told.
pub(crate) fn unwritable(path: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!(
        "`{}` could not be written: {cause}",
        path.display()
    ))
}
