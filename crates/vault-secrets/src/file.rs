//! Files that are written whole or not at all.

use std::{
    fmt::Display,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use cli::{Failure, warn};
use secure_fs::{Folder, Guard, LARGEST_TEXT, read_bounded};
use serde::de::DeserializeOwned;

/// Writes `text` to `path`, with this mode whatever the umask is.
pub(crate) fn write(path: &Path, text: &[u8], mode: u32) -> Result<(), Failure> {
    let folder = folder_of(path)?;
    let name = path.file_name().unwrap_or_default();
    let mut draft = folder.within(name).into_os_string();
    draft.push(".new");
    let draft = Path::new(&draft);
    let written =
        write_draft(draft, text, mode).and_then(|()| fs::rename(draft, folder.within(name)));
    if written.is_err() {
        let _ = fs::remove_file(draft); // the first error is the one to tell
    }
    written.map_err(|cause| unwritable(path, cause))
}

/// Opens the folder that `path` is in, and makes it where it is missing.
pub(crate) fn folder_of(path: &Path) -> Result<Folder, Failure> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    Folder::make(parent, Guard::Strict, 0o755, 0o755).map_err(|cause| unwritable(parent, cause))
}

fn write_draft(draft: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {} // a killed run's, or none
    }
    let mut options = OpenOptions::new();
    let mut file: File = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(text)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

pub(crate) fn unwritable(path: &Path, cause: impl Display) -> Failure {
    Failure::failed(format!("could not write `{}`: {cause}", path.display()))
}

/// What the file holds; the default where there is none, and with a warning where it makes no sense.
pub(crate) fn read<T: Default + DeserializeOwned>(path: &Path) -> T {
    let told = |cause: &dyn Display| {
        warn(format_args!("`{}` is not used: {cause}", path.display()));
        T::default()
    };
    match read_bounded(path, LARGEST_TEXT) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|cause| told(&cause)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => T::default(),
        Err(cause) => told(&cause),
    }
}
