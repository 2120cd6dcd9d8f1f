//! The state directory: the hidden folder beside an output directory.
//!
//! `/run/secrets/db` has `/run/secrets/.db.vault-fetch`, which only this user may enter. It holds:
//!
//! - the lock, so that one run writes at a time;
//! - `new`, the set that is being written;
//! - `previous`, the set that was replaced last, so that readers that have it open can finish;
//! - `written` and `changed`, notes of the deployed version and of the last change of the files;
//! - `rollout`, the note of a rollout (`rollout.rolled-back` after a roll-back), and `rollback`,
//!   the set to roll back to.
//!
//! The folder marks the output directory as vault-fetch's.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use zts_secure_fs::{Lock, parent_of, remove_acls};

use crate::{
    DeployedVersion, LastChange, OutputState, SecretIdentity,
    error::Error,
    private_file::{create_shared_folder, if_there, remove_any, state_dir_path},
};

/// The state directory of an output directory, locked until this is dropped.
pub struct StateDir {
    target: PathBuf,
    folder: PathBuf,
    _lock: Lock,
}

impl StateDir {
    /// Opens and locks the state directory of `target`. Creates it if it is missing.
    ///
    /// Refuses a `target` with files and without a state directory: vault-fetch did not create it,
    /// and would replace it as a whole.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn open(target: &Path) -> Result<Self, Error> {
        let refuse = |reason| Error::refused(target, reason);
        let folder =
            state_dir_path(target).ok_or_else(|| refuse("cannot be replaced as a whole"))?;
        let parent = create_shared_folder(parent_of(&folder))?;
        if is_foreign(target, &folder)? {
            return Err(refuse("holds files that vault-fetch did not write"));
        }
        let name = folder.file_name().unwrap_or_default();
        let (_, lock) = parent.lock_or_create_private(name)?;
        Ok(Self {
            target: target.to_owned(),
            folder,
            _lock: lock,
        })
    }

    /// Returns whether vault-fetch has written to `target`.
    ///
    /// # Errors
    /// The system's errors.
    pub fn exists(target: &Path) -> Result<bool, Error> {
        state_dir_path(target).map_or(Ok(false), |folder| exists(&folder))
    }

    /// Returns the path of the state directory of `target`, which may be missing. `None` for `/`
    /// and the like.
    pub fn path_for(target: &Path) -> Option<PathBuf> {
        state_dir_path(target)
    }

    /// Returns the path of the state directory.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of the output directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Creates an empty directory for the next set. Removes what a killed run left there.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn create_new_set(&self) -> Result<PathBuf, Error> {
        let path = self.folder.join(NEW);
        remove_any(&path)?;
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .and_then(|()| remove_acls(File::open(&path)?)) // files in it would inherit them
            .map_err(|cause| Error::io("make", &path, cause))?;
        Ok(path)
    }

    /// Removes the set of a failed or killed run.
    pub fn discard_new_set(&self) {
        let _ = remove_any(&self.folder.join(NEW)); // the next run tries again and reports errors
    }

    /// Archives the replaced set at `path`: readers that have it open can finish. Removes it where
    /// it cannot be archived, because the new set is deployed already.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn archive_previous(&self, path: &Path) -> Result<(), Error> {
        let previous = self.folder.join(PREVIOUS);
        remove_any(&previous)
            .and_then(|()| {
                fs::rename(path, &previous).map_err(|cause| Error::io("move away", path, cause))
            })
            .or_else(|_| remove_any(path))
    }

    /// Returns whether writing `mine` would undo a change of another run since `before`: another
    /// version, the removal of a deleted secret, or the rollback of this version.
    ///
    /// # Errors
    /// The system's errors.
    pub fn was_overtaken(
        &self,
        mine: &DeployedVersion,
        before: &OutputState,
    ) -> Result<bool, Error> {
        Ok(OutputState::read(&self.target)?.overtakes(mine, before))
    }

    /// Returns whether another run has deployed files since `before`. A secret that was gone then
    /// may exist again.
    ///
    /// # Errors
    /// The system's errors.
    pub fn was_written_since(&self, before: &OutputState) -> Result<bool, Error> {
        Ok(OutputState::read(&self.target)?.is_newer_than(before))
    }

    /// Returns whether the files in the output directory are of another secret than `secret`.
    ///
    /// # Errors
    /// The system's errors.
    pub fn is_of_other_secret(&self, secret: &SecretIdentity) -> Result<bool, Error> {
        let deployed_version = self.deployed_version()?;
        Ok(deployed_version.is_some_and(|deployed| deployed.secret != *secret))
    }

    /// Returns the number of the version of `secret` in the output directory, if there is one.
    ///
    /// # Errors
    /// The system's errors.
    pub fn version_of(&self, secret: &SecretIdentity) -> Result<Option<u64>, Error> {
        let deployed_version = DeployedVersion::read(&self.target)?;
        let of_secret = deployed_version.filter(|deployed| deployed.secret == *secret);
        Ok(of_secret.map(|deployed| deployed.version))
    }

    /// Returns the noted version in the output directory.
    ///
    /// # Errors
    /// The system's errors.
    pub fn deployed_version(&self) -> Result<Option<DeployedVersion>, Error> {
        DeployedVersion::read_note(&self.folder)
    }

    /// Notes the version in the output directory.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn record_version(&self, deployed_version: &DeployedVersion) -> Result<(), Error> {
        deployed_version.write(&self.folder)
    }

    /// Notes a change of the files. Services that started earlier have older files.
    pub(crate) fn mark_change(&self) -> Result<(), Error> {
        LastChange::now().write(&self.folder)
    }
}

/// The name of the set that is being written.
pub(crate) const NEW: &str = "new";

/// The name of the set that was replaced last.
pub(crate) const PREVIOUS: &str = "previous";

fn exists(folder: &Path) -> Result<bool, Error> {
    let found = if_there(fs::metadata(folder).map(Some), "look at", folder)?;
    Ok(found.is_some())
}

/// Returns whether `target` holds files, and there is no state directory `folder`. That one is
/// created before the files and removed after them, so it is missing while they are there.
fn is_foreign(target: &Path, folder: &Path) -> Result<bool, Error> {
    let held = inode_with_files(target)?;
    Ok(held.is_some() && !exists(folder)? && inode_with_files(target)? == held)
}

/// Returns the inode of a directory that is not empty. `None` where there is none.
fn inode_with_files(target: &Path) -> Result<Option<u64>, Error> {
    let found = if_there(fs::symlink_metadata(target).map(Some), "look at", target)?;
    let Some(metadata) = found else {
        return Ok(None);
    };
    if !metadata.is_dir() {
        return Err(Error::refused(target, "is not a directory"));
    }
    let entries = if_there(fs::read_dir(target).map(Some), "look into", target)?;
    let has_files = entries.is_some_and(|mut entries| entries.next().is_some());
    Ok(has_files.then(|| metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn files_that_another_run_removes_meanwhile_are_not_foreign() {
        let folder = zts_testkit::scratch_dir();
        let target = folder.join("db");
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                for _ in 0..300 {
                    let state_dir = StateDir::open(&target).unwrap();
                    fs::create_dir(&target).unwrap();
                    fs::write(target.join("password"), "hunter2").unwrap();
                    state_dir.remove().unwrap();
                }
            });
            while !other.is_finished() {
                drop(StateDir::open(&target).unwrap());
            }
        });
    }
}
