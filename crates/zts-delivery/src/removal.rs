//! Removal of a secret from the host.

use std::{fs, io, path::Path, time::SystemTime};

use crate::{
    Cache, DeployedVersion, Failures, OutputState, Rejection, SecretIdentity, StateDir,
    deployed_version,
    error::Error,
    fingerprint, numbering, pending_rollout,
    private_file::{lock_folder, remove_any, remove_with_draft},
    rejection, seal_keys,
    state_dir::{NEW, PREVIOUS},
};

impl StateDir {
    /// Removes the output directory, and its sets and notes in the state directory.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn remove_output(&self) -> Result<(), Error> {
        // a run with an older answer must notice the change
        if let Some(deployed_version) = self.deployed_version()? {
            let at = SystemTime::now();
            self.record_version(&DeployedVersion {
                at,
                ..deployed_version
            })?;
        }
        let gone = self.folder().join(NEW);
        remove_any(&gone)?;
        match fs::rename(self.target(), &gone) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", self.target(), cause));
            }
            _ => {}
        }
        [NEW, PREVIOUS]
            .into_iter()
            .chain(pending_rollout::FILES)
            .try_for_each(|name| remove_any(&self.folder().join(name)))
    }

    /// Takes the output directory away, and this folder with what this program made in it; anything
    /// else in it stays, and is an error.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn remove(self) -> Result<(), Error> {
        self.remove_output()?;
        let notes = deployed_version::FILES
            .into_iter()
            .chain(rejection::FILES)
            .chain(numbering::FILES)
            .chain([fingerprint::FILE]);
        notes
            .map(|name| self.folder().join(name))
            .try_for_each(|path| remove_with_draft(&path))?;
        fs::remove_dir(self.folder()).map_err(|cause| Error::io("remove", self.folder(), cause))
    }
}

impl Cache {
    /// Removes the folder if it holds only copies and their notes; returns whether there was one.
    /// Removes the key for new copies beside it, too: other copies have their own keys with them.
    ///
    /// # Errors
    /// A folder with something else in it, or that others may change, and the system's errors.
    pub fn remove_folder(folder: &Path) -> Result<bool, Error> {
        seal_keys::remove(folder);
        let Some(_locked) = lock_folder(folder)? else {
            return Ok(false);
        };
        let files = Self::file_paths(folder);
        let entries =
            fs::read_dir(folder).map_err(|cause| Error::io("look into", folder, cause))?;
        for entry in entries {
            let entry = entry.map_err(|cause| Error::io("look into", folder, cause))?;
            if !files.contains(&entry.path()) {
                let reason = "holds files that vault-fetch did not write";
                return Err(Error::refused(folder, reason));
            }
        }
        files.iter().try_for_each(|path| remove_any(path))?;
        fs::remove_dir(folder).map_err(|cause| Error::io("remove", folder, cause))?;
        Ok(true)
    }
}

/// Removes the output directory, and all that the programs wrote beside it; returns whether there
/// was one. A directory without a state directory beside it belongs to another program, and stays.
///
/// # Errors
/// A place that cannot or must not be written to, and a failed removal.
pub fn remove_output(output: &Path) -> Result<bool, Error> {
    Failures::remove(output)?;
    let exists = StateDir::exists(output)?;
    if exists {
        StateDir::open(output)?.remove()?;
    }
    Ok(exists)
}

/// The result of removing a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the secret may exist again"]
pub enum Removal {
    /// Nothing is left of the secret.
    Done,
    /// Another run has deployed a version meanwhile. Nothing was removed.
    Overtaken,
}

/// Removes the files, copies and rejection of a secret that is gone from OpenBao. Keeps the files
/// of another secret, because a path may be wrong. `before` is the content of the output directory
/// before OpenBao was queried.
///
/// # Errors
/// A place that cannot or must not be written to, and the system's errors. The copies are removed
/// also where the files are not.
pub fn remove_secret(
    output: &Path,
    cache: Option<&Cache>,
    secret: &SecretIdentity,
    before: &OutputState,
) -> Result<Removal, Error> {
    let removed = match remove_files(output, secret, before) {
        Ok(Removal::Overtaken) => return Ok(Removal::Overtaken),
        removed => removed,
    };
    cache.map_or(Ok(()), Cache::remove_copies)?;
    removed
}

fn remove_files(
    output: &Path,
    secret: &SecretIdentity,
    before: &OutputState,
) -> Result<Removal, Error> {
    if !StateDir::exists(output)? {
        return Ok(Removal::Done);
    }
    let state_dir = StateDir::open(output)?;
    if state_dir.is_of_other_secret(secret)? {
        return Ok(Removal::Done);
    }
    if state_dir.was_written_since(before)? {
        return Ok(Removal::Overtaken); // the secret may exist again
    }
    state_dir.remove_output()?;
    Rejection::remove(None, output)?;
    Ok(Removal::Done)
}
