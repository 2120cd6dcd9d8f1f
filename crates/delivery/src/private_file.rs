//! Files that only this user reads and writes, in folders that only this user enters.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::{
    error::Error,
    workplace::{make_shared, parent_of},
};

/// What a file holds, and when it was changed last.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) modified: SystemTime,
}

/// Why a file is not used.
pub(crate) enum Unusable {
    Absent,
    Unreadable(io::Error),
    /// It is something else than a file, or too large.
    Odd,
    /// Another user may have written it.
    OfOthers,
}

impl From<io::Error> for Unusable {
    fn from(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            _ => Self::Unreadable(cause),
        }
    }
}

/// Reads a file of at most `largest` bytes.
pub(crate) fn read(path: &Path, largest: u64) -> Result<Content, Unusable> {
    let no_surprise = OFlags::NOFOLLOW | OFlags::NONBLOCK; // no link, and no pipe to wait for
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(no_surprise.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > largest {
        return Err(Unusable::Odd);
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(Unusable::OfOthers);
    }
    let length = usize::try_from(metadata.len()).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    file.read_to_end(&mut bytes)?;
    Ok(Content {
        bytes,
        modified: metadata.modified()?,
    })
}

/// Opens `path`, and makes it before where there is nothing.
pub(crate) fn folder(path: &Path) -> Result<File, Error> {
    let parent = make_shared(parent_of(path))?;
    let name = path.file_name().unwrap_or_default();
    Ok(parent.private(name)?.file()?)
}

/// What is written before it becomes the file.
pub(crate) fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Writes the file whole or not at all; `folder` is the open folder that it is in. One writer at a
/// time: there is one name for the draft.
pub(crate) fn replace(folder: &File, path: &Path, text: &[u8]) -> Result<(), Error> {
    let draft = draft(path);
    let _ = fs::remove_file(&draft); // a killed run's
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        });
    let renamed = written.and_then(|()| fs::rename(&draft, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&draft);
    }
    renamed
        .and_then(|()| folder.sync_all())
        .map_err(|cause| Error::io("write", path, cause))
}

/// Removes the file and its draft, where they are.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    for path in [draft(path).as_path(), path] {
        match fs::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path, cause));
            }
            _ => {}
        }
    }
    Ok(())
}
