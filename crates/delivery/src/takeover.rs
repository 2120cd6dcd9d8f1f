//! Takes over what another program left in a secret's places: the scripts that a host had before, which
//! write one plain file a key into the output directory and into the cache folder.
//!
//! Only what has that shape is taken over. A directory with anything else in it is somebody else's.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use openbao::{SecretMap, kv};
use rustix::{fs::Uid, process::geteuid};
use secure_fs::{Folder, Guard};
use zeroize::Zeroizing;

use crate::{
    Cache, Found, Kept, Workplace, error::Error, names::not_a_file_name, private_file,
    workplace::parent_of,
};

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// What was taken over of a cache folder.
#[derive(Debug)]
#[must_use = "somebody may believe that the copy is sealed"]
pub struct TakenCopy {
    /// How many plain files are gone.
    pub files: usize,
    /// How the copy that was made of them is kept; `None` where there was a good one already.
    pub kept: Option<Kept>,
}

/// Makes the output directory `target` vault-fetch's, where it holds plain files of root's or of
/// `owner`'s and nothing else, and gives their number. They stay until the next fetch replaces them. `None`
/// where there is nothing to take over.
///
/// # Errors
/// A directory that holds something else, and what the system refuses.
pub fn take_over_output(target: &Path, owner: Option<Uid>) -> Result<Option<usize>, Error> {
    let folder = Workplace::folder_of(target).filter(|folder| !folder.exists());
    let (Some(folder), Some(files)) = (folder, entries(target)?) else {
        return Ok(None);
    };
    if files.is_empty() {
        return Ok(None);
    }
    let parent = Folder::open(parent_of(target), Guard::Strict)?;
    refuse_odd(target, fs::Metadata::is_dir, owner)?;
    for file in &files {
        refuse_unlike_key(file, owner)?;
    }
    parent.private(folder.file_name().unwrap_or_default())?;
    Ok(Some(files.len()))
}

impl Cache {
    /// Makes a copy of the plain files in the cache folder, unless there is a good copy, and removes
    /// them. They are dated as the oldest of them. `None` where there is nothing to take over.
    ///
    /// # Errors
    /// A folder that holds something else, a copy that cannot be kept, and what the system refuses.
    pub fn take_over(&self) -> Result<Option<TakenCopy>, Error> {
        let ours = Self::own_files(self.folder());
        let files = entries(self.folder())?.unwrap_or_default();
        let files: Vec<_> = files
            .into_iter()
            .filter(|file| !ours.contains(file))
            .collect();
        if files.is_empty() {
            return Ok(None);
        }
        let parent = Folder::open(parent_of(self.folder()), Guard::Strict)?;
        let opened = parent.entry(self.folder().file_name().unwrap_or_default())?;
        refuse_odd(self.folder(), fs::Metadata::is_dir, None)?;
        for file in &files {
            refuse_unlike_key(file, None)?;
        }
        opened.set_mode(0o700)?;
        let kept = self.copy_of(&files)?;
        for file in &files {
            fs::remove_file(file).map_err(|cause| Error::io("remove", file, cause))?;
        }
        let files = files.len();
        Ok(Some(TakenCopy { files, kept }))
    }

    fn copy_of(&self, files: &[PathBuf]) -> Result<Option<Kept>, Error> {
        if matches!(self.read(), Found::Copy(..) | Found::TooOld(_)) {
            return Ok(None);
        }
        let (values, written) = read_all(files)?;
        let kept = self.keep(&kv::Secret {
            values: Ok(values),
            // no version of OpenBao's: the next that it gives is another one
            metadata: kv::VersionMetadata {
                version: 0,
                created_time: String::new(),
                deletion_time: String::new(),
                destroyed: false,
            },
        })?;
        self.date(written)?;
        Ok(Some(kept))
    }
}

/// Reads the values of all files, and when the oldest was written.
fn read_all(files: &[PathBuf]) -> Result<(SecretMap, SystemTime), Error> {
    let mut values = SecretMap::new();
    let mut written = SystemTime::now();
    for file in files {
        let content = private_file::read(file, LARGEST).map_err(|_| refused(file))?;
        let text = str::from_utf8(&content.bytes).map_err(|_| Error::Output {
            path: file.clone(),
            reason: "holds no text, as a value of OpenBao does",
        })?;
        let json = serde_json::to_vec(text).map(Zeroizing::new);
        let value = json.and_then(|json| serde_json::from_slice(&json));
        let value = value.map_err(|cause| Error::io("read", file, io::Error::from(cause)))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        values.insert(name.into_owned(), value);
        written = written.min(content.modified);
    }
    Ok((values, written))
}

/// The entries of a directory; `None` where there is none.
fn entries(directory: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
    let found = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let found = found.map_err(|cause| Error::io("look into", directory, cause))?;
    Ok(Some(found.iter().map(fs::DirEntry::path).collect()))
}

fn refuse_unlike_key(file: &Path, owner: Option<Uid>) -> Result<(), Error> {
    let name = file.file_name().and_then(|name| name.to_str());
    if name.is_none_or(|name| not_a_file_name(name).is_some()) {
        return Err(refused(file));
    }
    refuse_odd(file, fs::Metadata::is_file, owner)
}

/// Refuses what is of another kind, or of another user than this one or `owner`.
fn refuse_odd(
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
    Error::Output {
        path: path.to_owned(),
        reason: "is not vault-fetch's, and no plain file of root's or the secret's owner",
    }
}
