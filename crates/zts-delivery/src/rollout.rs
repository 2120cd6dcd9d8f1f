//! A rollout: the time from the deployment of a version to its proof or its rejection.
//!
//! The note `rollout` in the state directory exists as long as a version is unproven. It names that
//! version, the version to roll back to, and the services that have come up with the new one. The
//! version to roll back to is the proven one or, while none is proven, the replaced one. Its set
//! stays in `rollback`. A reboot removes that set; it is then written anew from the cached copy.
//!
//! The new set is written in `rollback` and exchanged with the output directory by one system call,
//! so `rollback` then holds the old set. A roll-back makes the same call once more. The note holds
//! the inode of the new set's directory, which shows after a killed run which set is where. Before
//! a roll-back the note is renamed to `rollout.rolled-back`, which needs no room on a full disk.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    DeployedVersion, Files, LastChange, Ownership, StateDir, directory,
    error::Error,
    pending_rollout::{FILES, NOTE, NOTE_ROLLED_BACK, PendingRollout, ROLLBACK, RolloutStage},
    private_file::{self, directory_metadata, if_there, remove_any},
    state_dir::NEW,
};

impl StateDir {
    fn rollback(&self) -> PathBuf {
        self.folder().join(ROLLBACK)
    }

    /// Returns the rollout, at either stage.
    ///
    /// # Errors
    /// The system's errors.
    pub fn pending_rollout(&self) -> Result<Option<PendingRollout>, Error> {
        PendingRollout::read_in(self.folder())
    }

    /// Returns whether the version in the output directory is unproven.
    ///
    /// # Errors
    /// The system's errors.
    pub fn is_unproven(&self) -> Result<bool, Error> {
        Ok(self.ongoing()?.is_some())
    }

    /// Returns the rollout whose version is in the output directory.
    fn ongoing(&self) -> Result<Option<PendingRollout>, Error> {
        let rollout = self.pending_rollout()?;
        let rollout = rollout.filter(|rollout| rollout.stage == RolloutStage::Unproven);
        let (Some(rollout), Some(inode)) = (rollout, inode(self.target())?) else {
            return Ok(None);
        };
        let deployed_version = self.deployed_version()?;
        let is_deployed =
            |it: &DeployedVersion| deployed_version.as_ref().is_some_and(|now| now.is_same(it));
        if inode == rollout.inode || is_deployed(&rollout.new) {
            return Ok(Some(PendingRollout { inode, ..rollout }));
        }
        let new = rollout.replaces.clone().filter(is_deployed);
        Ok(new.map(|new| PendingRollout {
            new,
            replaces: None,
            inode,
            came_up: BTreeSet::new(),
            failed_regardless: BTreeSet::new(),
            old: rollout.old.filter(|old| !is_deployed(old)),
            ..rollout
        }))
    }

    /// Returns the directory where the next set is written. `rollback` is in use while it holds the
    /// set that `ongoing` would be rolled back to.
    fn staged(&self, ongoing: Option<&PendingRollout>) -> PathBuf {
        let keeps_rollback = ongoing.is_some_and(|rollout| rollout.old.is_some());
        let name = if keeps_rollback { NEW } else { ROLLBACK };
        self.folder().join(name)
    }

    /// Writes a set of files ready for [`StateDir::begin_rollout`].
    ///
    /// # Errors
    /// A file that cannot be written, and a directory that cannot be exchanged.
    pub fn stage(&self, files: &Files, ownership: Ownership) -> Result<(), Error> {
        let ongoing = self.ongoing()?;
        if ongoing.is_none() {
            self.end_rollout()?; // removes the files of a run that was killed before the exchange
        }
        write_anew(&self.staged(ongoing.as_ref()), files, ownership)
    }

    /// Exchanges the deployed set for the staged one, whose version is unproven from now on. An
    /// ongoing rollout keeps its version to roll back to. Otherwise that is the deployed version
    /// or, where there is none, `of_copy`, the version of a copy.
    ///
    /// # Errors
    /// A file that cannot be written, and a directory that cannot be exchanged.
    pub fn begin_rollout(
        &self,
        new: &DeployedVersion,
        of_copy: Option<DeployedVersion>,
    ) -> Result<(), Error> {
        let ongoing = self.ongoing()?;
        let staged = self.staged(ongoing.as_ref());
        let deployed = DeployedVersion::read(self.target())?;
        let deployed = deployed.filter(|old| old.secret == new.secret);
        let replaces = ongoing.as_ref().map(|rollout| rollout.new.clone());
        let (old, before, keeps_deployed) =
            if let Some(old) = ongoing.and_then(|rollout| rollout.old) {
                // a roll-back must restart services that run with the version in between
                (Some(old), None, false)
            } else {
                let keeps_deployed = deployed.is_some();
                let change = LastChange::read(self.target())?;
                (deployed.or(of_copy), change, keeps_deployed)
            };
        self.write_rollout(&PendingRollout {
            new: new.clone(),
            old: old.filter(|old| old.secret == new.secret && !old.is_same(new)),
            replaces,
            before,
            stage: RolloutStage::Unproven,
            came_up: BTreeSet::new(),
            blamed: BTreeSet::new(),
            failed_regardless: BTreeSet::new(),
            inode: inode(&staged)?.unwrap_or_default(),
        })?;
        self.mark_change()?;
        if directory::exchange_and_record(self, &staged, Some(new))? && !keeps_deployed {
            self.archive_previous(&staged)?; // it was unproven, or is of another secret
        }
        Ok(())
    }

    /// Notes that a version with the same files is deployed. An ongoing rollout continues with its
    /// number.
    ///
    /// # Errors
    /// A note that cannot be written.
    pub fn renumber(&self, new: &DeployedVersion) -> Result<(), Error> {
        if let Some(rollout) = self.ongoing()? {
            self.write_rollout(&PendingRollout {
                new: new.clone(),
                ..rollout
            })?;
        }
        self.record_version(new)
    }

    /// Notes services that have come up with the unproven version.
    ///
    /// # Errors
    /// A note that cannot be written.
    pub fn note_came_up(&self, services: &BTreeSet<String>) -> Result<(), Error> {
        let Some(mut rollout) = self.ongoing()? else {
            return Ok(());
        };
        if services.is_subset(&rollout.came_up) {
            return Ok(());
        }
        rollout.came_up.extend(services.iter().cloned());
        self.write_rollout(&rollout)
    }

    /// Ends the rollout of `proven`, the version of the proven copy. A run that was killed has not
    /// done so.
    ///
    /// # Errors
    /// A note that cannot be written.
    pub fn end_proven_rollout(&self, proven: Option<&DeployedVersion>) -> Result<(), Error> {
        let rollout = self.ongoing()?;
        let is_proven =
            |rollout: PendingRollout| proven.is_some_and(|proven| proven.is_same(&rollout.new));
        if rollout.is_some_and(is_proven) {
            self.end_rollout()?;
        }
        Ok(())
    }

    /// Returns whether the set to roll back to is on disk.
    ///
    /// # Errors
    /// The system's errors.
    pub fn has_rollback(&self) -> Result<bool, Error> {
        Ok(directory_metadata(&self.rollback())?.is_some())
    }

    /// Returns whether that set is on disk for the output directory `target`. Takes no lock.
    pub fn has_rollback_beside(target: &Path) -> bool {
        Self::path_for(target).is_some_and(|folder| folder.join(ROLLBACK).is_dir())
    }

    /// Writes the set to roll back to, from its copy, ready for [`StateDir::roll_back`].
    ///
    /// # Errors
    /// A file that cannot be written, and a directory that cannot be exchanged.
    pub fn write_rollback(&self, files: &Files, ownership: Ownership) -> Result<(), Error> {
        write_anew(&self.rollback(), files, ownership)
    }

    /// Deploys the old set again because `blamed` services failed. The unproven set stays in
    /// `rollback`. Does nothing without an old set.
    ///
    /// # Errors
    /// A note that cannot be renamed, and a failed exchange. Later notes are written as far as
    /// possible.
    pub fn roll_back(&self, blamed: &BTreeSet<String>) -> Result<(), Error> {
        let rollout = self.pending_rollout()?;
        let unproven = rollout.filter(|rollout| rollout.stage == RolloutStage::Unproven);
        let Some(rollout) = unproven else {
            return Ok(());
        };
        if rollout.old.is_none() || !self.has_rollback()? {
            return Ok(());
        }
        // before the first change: an error leaves all as it is
        let (deployed, inode) = (self.deployed_version()?, inode(self.target())?);
        let [note, rolled_back] = self.notes();
        fs::rename(&note, &rolled_back).map_err(|cause| Error::io("rename", &note, cause))?;
        let rollout = PendingRollout {
            // another run may have deployed a still newer version
            new: deployed.unwrap_or(rollout.new),
            stage: RolloutStage::RolledBack,
            blamed: blamed.clone(),
            inode: inode.unwrap_or_default(),
            ..rollout
        };
        let _ = self.write_rollout(&rollout); // the note's new name already marks the roll-back
        self.deploy_old(&rollout)
    }

    fn deploy_old(&self, rollout: &PendingRollout) -> Result<(), Error> {
        let _ = self.mark_change(); // a full disk has no room for the note
        directory::exchange(self, &self.rollback())?;
        let _ = self.note_old(rollout); // `resume_rollout` writes the note if this fails
        Ok(())
    }

    fn note_old(&self, rollout: &PendingRollout) -> Result<(), Error> {
        let Some(old) = rollout.old.clone() else {
            return Ok(());
        };
        self.record_version(&DeployedVersion {
            instead_of: Some(rollout.new.version),
            at: SystemTime::now(),
            ..old
        })
    }

    /// Deploys the new set again, after a roll-back that did not help.
    ///
    /// # Errors
    /// A file that cannot be written, and a directory that cannot be exchanged.
    pub fn reapply(&self) -> Result<(), Error> {
        let Some(mut rollout) = self.pending_rollout()? else {
            return Ok(());
        };
        let [note, rolled_back] = self.notes();
        self.mark_change()?;
        directory::exchange(self, &self.rollback())?;
        rollout.stage = RolloutStage::Unproven;
        rollout.failed_regardless.append(&mut rollout.blamed);
        rollout.new.at = SystemTime::now();
        self.record_version(&rollout.new)?;
        fs::rename(&rolled_back, &note)
            .map_err(|cause| Error::io("rename", &rolled_back, cause))?;
        self.write_rollout(&rollout)
    }

    /// Ends the rollout: keeps the deployed set and removes the other one.
    ///
    /// # Errors
    /// A file that cannot be written, and a directory that cannot be exchanged.
    pub fn end_rollout(&self) -> Result<(), Error> {
        let rollout = self.pending_rollout()?;
        if let Some(rollout) = &rollout
            && rollout.stage == RolloutStage::RolledBack
            && let Some(before) = rollout.before
        {
            before.write(self.folder())?; // services that run with these files need no restart
        }
        let of_rollback = inode(&self.rollback())?;
        let is_old = rollout.is_some_and(|rollout| {
            rollout.stage == RolloutStage::Unproven && of_rollback != Some(rollout.inode)
        });
        if is_old && of_rollback.is_some() {
            self.archive_previous(&self.rollback())?; // a service may still read it
        }
        FILES
            .into_iter()
            .rev() // the notes last: they describe the directory
            .try_for_each(|name| remove_any(&self.folder().join(name)))
    }

    /// Returns the rollout, after finishing the step at which a run was killed.
    ///
    /// # Errors
    /// A file that cannot be written, and a directory that cannot be exchanged.
    pub fn resume_rollout(&self) -> Result<Option<PendingRollout>, Error> {
        let Some(rollout) = self.pending_rollout()? else {
            self.end_rollout()?; // removes a set that was only staged
            return Ok(None);
        };
        if rollout.stage == RolloutStage::Unproven {
            let Some(rollout) = self.ongoing()? else {
                // it never began, or another version was deployed since
                self.end_rollout()?;
                return Ok(None);
            };
            self.write_rollout(&rollout)?;
            if self
                .deployed_version()?
                .is_none_or(|it| !it.is_same(&rollout.new))
            {
                self.record_version(&rollout.new)?;
            }
            return Ok(Some(rollout));
        }
        let in_place = inode(self.target())? == Some(rollout.inode);
        let deployed_version = self.deployed_version()?;
        let is_noted =
            |note: &DeployedVersion| deployed_version.as_ref().is_some_and(|it| it.is_same(note));
        if in_place {
            self.deploy_old(&rollout)?;
        } else if is_noted(&rollout.new) {
            self.note_old(&rollout)?;
        } else if !rollout.old.as_ref().is_some_and(is_noted) {
            self.end_rollout()?; // another version was deployed since
            return Ok(None);
        }
        Ok(Some(rollout))
    }

    fn notes(&self) -> [PathBuf; 2] {
        [NOTE, NOTE_ROLLED_BACK].map(|name| self.folder().join(name))
    }

    fn write_rollout(&self, rollout: &PendingRollout) -> Result<(), Error> {
        let [note, rolled_back] = self.notes();
        let path = match rollout.stage {
            RolloutStage::Unproven => note,
            RolloutStage::RolledBack => rolled_back,
        };
        private_file::write_note(&path, rollout)
    }
}

/// Writes a set of files whole or not at all, in place of an earlier one at `path`.
fn write_anew(path: &Path, files: &Files, ownership: Ownership) -> Result<(), Error> {
    remove_any(path)?;
    let written = directory::write_set(path, files, ownership);
    if written.is_err() {
        let _ = remove_any(path); // the first error is the one to report
    }
    written
}

fn inode(path: &Path) -> Result<Option<u64>, Error> {
    let found = if_there(fs::symlink_metadata(path).map(Some), "look at", path)?;
    let directory = found.filter(fs::Metadata::is_dir);
    Ok(directory.map(|metadata| metadata.ino()))
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
