//! A snapshot that has come in whole, before it is anywhere.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use tempfile::{NamedTempFile, TempPath};

use crate::{archive::Archive, digest::Digest};

/// How the names of drafts begin; a run that was killed leaves one behind.
pub(crate) const PREFIX: &str = ".vault-snapshot-";

/// A file as it will be stored. It vanishes when it is dropped.
#[derive(Debug)]
pub(crate) struct Draft {
    path: TempPath,
    /// What the archive says of itself.
    pub(crate) archive: Archive,
    /// Of the archive.
    pub(crate) whole: Digest,
    /// Of the file: another one where it is encrypted.
    pub(crate) stored: Digest,
}

/// An empty file for a draft, for its owner only.
pub(crate) fn make(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)
}

/// Removes drafts that runs which were cut off left in a folder. Only for who has it locked.
pub(crate) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            let _ = fs::remove_file(entry.path()); // one that stays costs room, nothing else
        }
    }
}

impl Draft {
    /// A draft whose content has been checked; it is on the disk when this returns.
    pub(crate) fn new(
        file: NamedTempFile,
        archive: Archive,
        whole: Digest,
        stored: Digest,
    ) -> io::Result<Self> {
        let (file, path) = file.into_parts();
        file.sync_all()?;
        Ok(Self {
            path,
            archive,
            whole,
            stored,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A reader of its own, from the beginning.
    pub(crate) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}
