//! The scratch folder of a drill, and the archive in it.

use std::{
    env,
    ffi::OsStr,
    fmt::Display,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use zts_cli::Failure;
use zts_secure_fs::{Folder, Guard, Lock, LockKind};

use crate::{
    encryption::Identities, selected_snapshot::SelectedSnapshot, store::systemd_directory,
};

/// The prefix of the folders' names.
const PREFIX: &str = ".vault-snapshot-drill-";

/// A folder for its owner only, which is removed on `Drop`. The next drill removes that of a killed
/// one.
pub(super) struct ScratchFolder {
    folder: TempDir,
    /// A lock that shows other drills that this one runs.
    _lock: Option<Lock>,
}

impl ScratchFolder {
    /// Creates it in `work`, or in systemd's directory of the unit, or in the system's temporary
    /// directory. Removes those of drills that were killed.
    ///
    /// # Errors
    /// No folder can be created there.
    pub(super) fn create(work: Option<&Path>) -> Result<Self, Failure> {
        let parent = work.map(Path::to_owned).or_else(systemd_directory);
        let parent = parent.unwrap_or_else(env::temp_dir);
        let failed = |cause: &dyn Display| {
            Failure::failed(format!(
                "no folder could be created in `{}`: {cause}",
                parent.display()
            ))
        };
        let opened = Folder::create(&parent, Guard::Links, 0o755, 0o700);
        let opened = opened.map_err(|cause| failed(&cause))?;
        remove_leftovers(&opened);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .map_err(|cause| failed(&cause))?;
        let name = folder.path().file_name().unwrap_or_default();
        let lock = lock(&opened, name).map_err(|cause| failed(&cause))?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn lock(parent: &Folder, name: &OsStr) -> io::Result<Option<Lock>> {
    Lock::try_take(parent.open_entry(name)?.reopen()?, LockKind::Exclusive)
}

fn remove_leftovers(parent: &Folder) {
    let entries = fs::read_dir(parent.within(""));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_scratch = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if is_scratch && let Ok(Some(_lock)) = lock(parent, &name) {
            let _ = fs::remove_dir_all(entry.path()); // fails on those of other users
        }
    }
}

/// Verifies the snapshot and writes its archive, whose content the cluster's keys encrypt, to
/// `folder`.
///
/// # Errors
/// The snapshot is damaged or cannot be read, or the archive cannot be written.
pub(super) fn fetch_archive(
    selected: &SelectedSnapshot<'_>,
    identities: &Identities,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let path = folder.join("archive");
    let write_failure = |cause: &io::Error| {
        Failure::failed(format!(
            "`{}` could not be written: {cause}",
            path.display()
        ))
    };
    let file = File::create_new(&path).map_err(|cause| write_failure(&cause))?;
    selected.verify_and_copy(identities, file, write_failure)?;
    Ok(path)
}
