//! Files that are written atomically.

use std::{fmt::Display, fs, io, path::Path};

use serde::de::DeserializeOwned;
use zts_cli::{Failure, warn};
use zts_secure_fs::{Access, Folder, Guard, LARGEST_TEXT, parent_of, read_bounded};

/// Writes `text` to `path`, with this mode regardless of the umask.
pub(crate) fn write(path: &Path, text: &[u8], mode: u32) -> Result<(), Failure> {
    let folder = folder_of(path)?;
    let name = path.file_name().unwrap_or_default();
    let mut draft_name = name.to_owned();
    draft_name.push(".new");
    folder
        .draft(draft_name)
        .and_then(|draft| draft.write(text, Access::Mode(mode))?.replace(name))
        .map_err(|cause| unwritable(path, cause))
}

/// Opens the directory of `path`, and creates it if it is missing.
pub(crate) fn folder_of(path: &Path) -> Result<Folder, Failure> {
    let parent = parent_of(path);
    Folder::create(parent, Guard::Strict, 0o755, 0o755).map_err(|cause| unwritable(parent, cause))
}

/// Removes a file that may be missing.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Failure::failed(format!(
            "could not remove `{}`: {cause}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn unwritable(path: &Path, cause: impl Display) -> Failure {
    Failure::failed(format!("could not write `{}`: {cause}", path.display()))
}

/// Reads a file. Returns the default if there is none and, with a warning, if it is damaged.
pub(crate) fn read<T: Default + DeserializeOwned>(path: &Path) -> T {
    let unusable = |cause: &dyn Display| {
        warn(format_args!("`{}` is not used: {cause}", path.display()));
        T::default()
    };
    match read_bounded(path, LARGEST_TEXT) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|cause| unusable(&cause)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => T::default(),
        Err(cause) => unusable(&cause),
    }
}
