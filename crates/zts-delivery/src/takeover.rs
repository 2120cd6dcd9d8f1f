//! Takes over the files of scripts that a host used before, which write one plain file for each key
//! into the output directory and into the cache directory.
//!
//! A directory with anything else is refused.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::{fs::Uid, process::geteuid};
use zeroize::Zeroizing;
use zts_openbao::{SecretMap, kv};
use zts_secure_fs::{Folder, Guard, parent_of};

use crate::{
    Cache, CachedCopyState, Proof, StateDir, StoreResult, error::Error, names::not_a_file_name,
    private_file,
};

/// The largest file, in bytes.
const LARGEST: u64 = 64 << 20;

/// The result of taking over a cache directory.
#[derive(Debug)]
#[must_use = "the copy may be unsealed"]
pub struct CacheTakeover {
    /// The number of plain files that were removed.
    pub files: usize,
    /// The result of storing a copy of them; `None` where there was a usable copy already.
    pub stored: Option<StoreResult>,
}

/// Takes over the output directory `target` if it holds nothing but plain files of root's or of
/// `owner`'s, and returns their number. The next fetch replaces them. `None` where there is nothing
/// to take over.
///
/// # Errors
/// A directory with something else, and the system's errors.
pub fn take_over_output(target: &Path, owner: Option<Uid>) -> Result<Option<usize>, Error> {
    let folder = StateDir::path_for(target).filter(|folder| !folder.exists());
    let (Some(folder), Some(files)) = (folder, read_entries(target)?) else {
        return Ok(None);
    };
    if files.is_empty() {
        return Ok(None);
    }
    let parent = Folder::open(parent_of(target), Guard::Strict)?;
    check_kind_and_owner(target, fs::Metadata::is_dir, owner)?;
    for file in &files {
        check_key_file(file, owner)?;
    }
    parent.create_private(folder.file_name().unwrap_or_default())?;
    Ok(Some(files.len()))
}

impl Cache {
    /// Replaces the plain files in the cache directory by a copy, unless there is a usable one. The
    /// copy is dated as the oldest of them. `None` where there is nothing to take over.
    ///
    /// # Errors
    /// A folder that holds something else, a copy that cannot be stored, and the system's errors.
    pub fn take_over(&self) -> Result<Option<CacheTakeover>, Error> {
        let ours = Self::file_paths(self.folder());
        let files = read_entries(self.folder())?.unwrap_or_default();
        let files: Vec<_> = files
            .into_iter()
            .filter(|file| !ours.contains(file))
            .collect();
        if files.is_empty() {
            return Ok(None);
        }
        let parent = Folder::open(parent_of(self.folder()), Guard::Strict)?;
        let opened = parent.open_entry(self.folder().file_name().unwrap_or_default())?;
        check_kind_and_owner(self.folder(), fs::Metadata::is_dir, None)?;
        for file in &files {
            check_key_file(file, None)?;
        }
        opened.set_mode(0o700)?;
        let stored = self.store_copy_of(&files)?;
        for file in &files {
            fs::remove_file(file).map_err(|cause| Error::io("remove", file, cause))?;
        }
        let files = files.len();
        Ok(Some(CacheTakeover { files, stored }))
    }

    fn store_copy_of(&self, files: &[PathBuf]) -> Result<Option<StoreResult>, Error> {
        if matches!(
            self.read(),
            CachedCopyState::Usable(..) | CachedCopyState::TooOld(_)
        ) {
            return Ok(None);
        }
        let (values, written) = read_all(files)?;
        let secret = kv::SecretVersion {
            values: Ok(values),
            // not a version of OpenBao's, so that the next fetch deploys one
            metadata: kv::VersionMetadata {
                version: 0,
                created_time: String::new(),
                deletion_time: String::new(),
                destroyed: false,
            },
        };
        let stored = self.store(&secret, Proof::Proven)?;
        self.set_confirmed(written)?;
        Ok(Some(stored))
    }
}

/// Reads the values of all files, and the time of the oldest one.
fn read_all(files: &[PathBuf]) -> Result<(SecretMap, SystemTime), Error> {
    let mut values = SecretMap::new();
    let mut written = SystemTime::now();
    for file in files {
        let content = private_file::read(file, LARGEST).map_err(|_| refused(file))?;
        let text = str::from_utf8(&content.bytes)
            .map_err(|_| Error::refused(file, "holds no text, as a value of OpenBao does"))?;
        let json = serde_json::to_vec(text).map(Zeroizing::new);
        let value = json.and_then(|json| serde_json::from_slice(&json));
        let value = value.map_err(|cause| Error::io("read", file, io::Error::from(cause)))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        values.insert(name.into_owned(), value);
        written = written.min(content.modified);
    }
    Ok((values, written))
}

/// Returns the entries of a directory; `None` where it is missing.
fn read_entries(directory: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
    let found = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let found = found.map_err(|cause| Error::io("look into", directory, cause))?;
    Ok(Some(found.iter().map(fs::DirEntry::path).collect()))
}

fn check_key_file(file: &Path, owner: Option<Uid>) -> Result<(), Error> {
    let name = file.file_name().and_then(|name| name.to_str());
    if name.is_none_or(|name| not_a_file_name(name).is_some()) {
        return Err(refused(file));
    }
    check_kind_and_owner(file, fs::Metadata::is_file, owner)
}

/// Refuses a file of another kind, or of another user than this one or `owner`.
fn check_kind_and_owner(
    path: &Path,
    is_of_kind: fn(&fs::Metadata) -> bool,
    owner: Option<Uid>,
) -> Result<(), Error> {
    let metadata = fs::symlink_metadata(path).map_err(|cause| Error::io("look at", path, cause))?;
    let users = [Some(geteuid()), owner].map(|user| user.map(Uid::as_raw));
    if is_of_kind(&metadata) && users.contains(&Some(metadata.uid())) {
        return Ok(());
    }
    Err(refused(path))
}

fn refused(path: &Path) -> Error {
    let reason = "is not vault-fetch's, and no plain file of root's or the secret's owner";
    Error::refused(path, reason)
}
