//! Small notes beside the output directories, which are worth less than what they are about.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
};

use secure_fs::{Error, Folder, Guard};

use crate::workplace::parent_of;

/// Puts `text` into the file at `path`, whole or not at all and for this user only; or does not, and says
/// nothing of it. The folder is made where it is missing: the first note may come before the first secret.
/// Where others could exchange the place, it is left alone.
pub(crate) fn write(path: &Path, text: &[u8]) {
    let _ = try_to_write(path, text);
}

fn try_to_write(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = match Folder::make(parent_of(path), Guard::Strict, 0o711, 0o711) {
        Err(Error::Refused { .. }) => return Ok(()),
        folder => folder?,
    };
    let name = path.file_name().unwrap_or_default();
    let path = folder.within(name);
    // of this process alone: several may note something at once
    let mut draft = path.clone().into_os_string();
    draft.push(format!(".{}", process::id()));
    let draft = PathBuf::from(draft);
    let _ = fs::remove_file(&draft); // of a killed process that had this number
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(text))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}
