//! Files that only this user may read and write, and the folders that they are in.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    time::SystemTime,
};

use rustix::{fs::OFlags, process::geteuid};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;
use zts_secure_fs::{
    Access, Draft, Folder, Guard, LARGEST_TEXT, Lock, parent_of, read_bounded,
    remove_file_if_exists,
};

use crate::error::Error;

/// The content of a file, and the time of its last change.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) modified: SystemTime,
}

/// The reason why a file is not used.
pub(crate) enum Unusable {
    Absent,
    Unreadable(io::Error),
    /// It is not a regular file, or is too large.
    NotAFile,
    /// Another user may have written it.
    WritableByOthers,
}

impl From<io::Error> for Unusable {
    fn from(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Absent,
            _ => Self::Unreadable(cause),
        }
    }
}

/// Opens a file for reading. Follows no link, and waits for no pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Reads a file of at most `largest` bytes.
pub(crate) fn read(path: &Path, largest: u64) -> Result<Content, Unusable> {
    let mut file = open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > largest {
        return Err(Unusable::NotAFile);
    }
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(Unusable::WritableByOthers);
    }
    let length = usize::try_from(metadata.len()).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    file.read_to_end(&mut bytes)?;
    Ok(Content {
        bytes,
        modified: metadata.modified()?,
    })
}

/// Returns the state directory of the output directory `target`; `None` for `/` and the like.
pub(crate) fn state_dir_path(target: &Path) -> Option<PathBuf> {
    hidden_beside(target, ".vault-fetch")
}

/// Returns the path of a hidden file or folder beside `path`; `None` for `/` and the like.
pub(crate) fn hidden_beside(path: &Path, suffix: &str) -> Option<PathBuf> {
    let name = [".".as_ref(), path.file_name()?, suffix.as_ref()];
    let name: OsString = name.into_iter().collect();
    Some(parent_of(path).join(name))
}

/// Opens a folder whose entries other users can reach by their names. Creates it, and those above
/// it, if they are missing.
pub(crate) fn create_shared_folder(path: &Path) -> Result<Folder, Error> {
    Ok(Folder::create(path, Guard::Strict, 0o711, 0o711)?)
}

/// Opens a folder that only this user may enter. Creates it if it is missing.
pub(crate) fn create_private_folder(path: &Path) -> Result<Folder, Error> {
    let parent = create_shared_folder(parent_of(path))?;
    Ok(parent.create_private(path.file_name().unwrap_or_default())?)
}

/// Opens a folder that only this user may enter, and waits for the exclusive lock on it. Creates it
/// if it is missing.
pub(crate) fn lock_or_create_folder(path: &Path) -> Result<(Folder, Lock), Error> {
    let parent = create_shared_folder(parent_of(path))?;
    Ok(parent.lock_or_create_private(path.file_name().unwrap_or_default())?)
}

/// Opens a folder that only this user may change, and waits for the exclusive lock on it. Returns
/// `None` if it is missing.
pub(crate) fn lock_folder(path: &Path) -> Result<Option<(Folder, Lock)>, Error> {
    let locked = Folder::open(parent_of(path), Guard::Strict)
        .and_then(|parent| parent.lock_private(path.file_name().unwrap_or_default()));
    match locked {
        Err(error) if error.is_absent() => Ok(None),
        locked => Ok(Some(locked?)),
    }
}

/// Returns the path of the draft of a file.
pub(crate) fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Writes the file at `path`, which is in `folder`, whole or not at all. The caller holds the
/// folder's lock.
pub(crate) fn replace(folder: &Folder, path: &Path, text: &[u8]) -> Result<(), Error> {
    write_draft(folder, path, text)
        .and_then(|draft| draft.replace(path.file_name().unwrap_or_default()))
        .map_err(|cause| Error::io("write", path, cause))
}

fn write_draft(folder: &Folder, path: &Path, text: &[u8]) -> io::Result<Draft> {
    let draft = draft_path(path);
    let draft = folder.draft(draft.file_name().unwrap_or_default())?;
    draft.write(text, Access::Mode(0o600))
}

/// Removes a file and its draft, if they exist.
pub(crate) fn remove_with_draft(path: &Path) -> Result<(), Error> {
    for path in [draft_path(path).as_path(), path] {
        remove_file_if_exists(path).map_err(|cause| Error::io("remove", path, cause))?;
    }
    Ok(())
}

/// Removes a set of files or a file, if it exists. Follows no link.
pub(crate) fn remove_any(path: &Path) -> Result<(), Error> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let removed = if is_folder {
        fs::remove_dir_all(path)
    } else {
        remove_file_if_exists(path).map(drop)
    };
    removed.map_err(|cause| Error::io("remove", path, cause))
}

/// Reads a note in the state directory. `None` where there is none that can be parsed.
///
/// # Errors
/// The system's errors. An unreadable note may be of another version than the one to be written.
pub(crate) fn read_note<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match read_bounded(path, LARGEST_TEXT) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(cause) if cause.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        Err(cause) => if_there(Err(cause), "read", path),
    }
}

/// Returns the metadata of a directory, a link's target included. `None` where there is none.
pub(crate) fn directory_metadata(path: &Path) -> Result<Option<fs::Metadata>, Error> {
    let found = if_there(fs::metadata(path).map(Some), "look at", path)?;
    Ok(found.filter(fs::Metadata::is_dir))
}

/// Returns `None` in place of the error that nothing is at `path`.
pub(crate) fn if_there<T>(
    found: io::Result<Option<T>>,
    doing: &'static str,
    path: &Path,
) -> Result<Option<T>, Error> {
    match found {
        Err(cause)
            if matches!(
                cause.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        found => found.map_err(|cause| Error::io(doing, path, cause)),
    }
}

/// Writes a note in the state directory whole or not at all. It need not survive a power cut:
/// without it, OpenBao is queried once more.
pub(crate) fn write_note(path: &Path, note: &impl Serialize) -> Result<(), Error> {
    let folder = Folder::open(parent_of(path), Guard::Strict)?;
    let text = serde_json::to_vec(note).map_err(io::Error::from);
    text.and_then(|text| write_draft(&folder, path, &text))
        .and_then(|draft| draft.rename(path.file_name().unwrap_or_default()))
        .map(drop)
        .map_err(|cause| Error::io("write", path, cause))
}

/// A small note that is worth less than the work that it is about. Errors in writing it are
/// ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptionalNote {
    path: PathBuf,
    /// The mode of the note's folder, if that is missing and is created.
    folder_mode: u32,
}

impl OptionalNote {
    pub(crate) fn new(path: PathBuf, folder_mode: u32) -> Self {
        Self { path, folder_mode }
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the note's name in its folder.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Reads the note, if there is one of this user's with at most `largest` bytes.
    pub(crate) fn read(&self, largest: u64) -> Option<Content> {
        read(&self.path, largest).ok()
    }

    /// Writes the note whole or not at all, for this user only. Writes nothing where other users
    /// could exchange the folder.
    pub(crate) fn write(&self, text: &[u8]) {
        let _ = self.try_write(text);
    }

    fn try_write(&self, text: &[u8]) -> io::Result<()> {
        // each process has its own draft, because several may write at once
        let mut draft = self.name().to_owned();
        draft.push(format!(".{}", process::id()));
        let draft = self.folder()?.draft(&draft)?;
        draft
            .write(text, Access::Mode(0o600))?
            .rename(self.name())
            .map(drop)
    }

    /// Opens the note's folder. Creates it if it is missing, because the first note may come before
    /// the first secret.
    pub(crate) fn folder(&self) -> Result<Folder, zts_secure_fs::Error> {
        let folder = parent_of(&self.path);
        Folder::create(folder, Guard::Strict, 0o711, self.folder_mode)
    }
}
