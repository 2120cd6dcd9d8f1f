//! A new version on trial: the set that it replaced stays at hand until the services have come up with
//! the new one.
//!
//! The new set is written in `rollback` and exchanged with the output directory by one system call, so
//! `rollback` then holds the old one; taking back is the same call once more. Which of the two a killed
//! run left where is told by the directory's inode, which the note `trial` holds.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    Change, Files, Ownership, Standing, Workplace, directory, error::Error, standing,
    workplace::remove,
};

/// What a trial leaves in the hidden folder.
pub(crate) const FILES: [&str; 3] = ["trial", "trial.new", "rollback"];

/// How far a trial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The new version stands in the output directory.
    New,
    /// It was taken back.
    TakenBack,
}

/// A version that is on trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// The version on trial.
    pub new: Standing,
    /// What it replaced.
    pub old: Standing,
    /// How far it has come.
    pub stage: Stage,
    /// The units that try it.
    pub services: BTreeSet<String>,
    /// The new set's directory.
    inode: u64,
}

impl Trial {
    /// The trial that goes on beside the output directory `target`. Takes no lock.
    pub fn of(target: &Path) -> Option<Self> {
        standing::read(&Workplace::folder_of(target)?.join("trial"))
    }
}

impl Workplace {
    fn other(&self) -> PathBuf {
        self.folder().join("rollback")
    }

    /// The trial that goes on.
    pub fn trial(&self) -> Option<Trial> {
        standing::read(&self.folder().join("trial"))
    }

    /// Whether this version is on trial: the cache then keeps the old one until that is over.
    pub fn is_on_trial(&self, version: u64) -> bool {
        self.trial()
            .is_some_and(|trial| trial.stage == Stage::New && trial.new.version == version)
    }

    /// Writes a set of files ready for [`Workplace::begin_trial`].
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn stage(&self, files: &Files, ownership: Ownership) -> Result<(), Error> {
        self.end_trial()?;
        let other = self.other();
        let written = directory::write_set(&other, files, ownership);
        if written.is_err() {
            let _ = remove(&other); // the first error is the one to tell
        }
        written
    }

    /// Exchanges the set in place for the one that was staged; `services` are the units that try it.
    /// Where nothing stands that could be put back there is no trial, and this gives `false`.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn begin_trial(&self, new: &Standing, services: &BTreeSet<String>) -> Result<bool, Error> {
        let old = self.standing().filter(|old| old.secret == new.secret);
        let (Some(old), true) = (old, self.target().is_dir()) else {
            if directory::swap(self, &self.other())? {
                self.retire(&self.other())?;
            }
            self.note(new)?;
            return Ok(false);
        };
        let trial = Trial {
            new: new.clone(),
            old,
            stage: Stage::New,
            services: services.clone(),
            inode: inode(&self.other()).unwrap_or_default(),
        };
        self.write_trial(&trial)?;
        directory::swap(self, &self.other())?;
        self.note(new)?;
        Ok(true)
    }

    /// Puts the old set back in place; the one on trial stays at hand.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn take_back(&self) -> Result<(), Error> {
        let Some(mut trial) = self.trial() else {
            return Ok(());
        };
        // another run may have put a still newer version in place
        trial.new = self.standing().unwrap_or(trial.new);
        trial.inode = inode(self.target()).unwrap_or_default();
        trial.stage = Stage::TakenBack;
        self.write_trial(&trial)?;
        self.put_old(&trial)
    }

    fn put_old(&self, trial: &Trial) -> Result<(), Error> {
        directory::swap(self, &self.other())?;
        self.note_old(trial)
    }

    fn note_old(&self, trial: &Trial) -> Result<(), Error> {
        self.note(&Standing {
            instead_of: Some(trial.new.version),
            at: SystemTime::now(),
            ..trial.old.clone()
        })
    }

    /// Puts the new set in place again: it was not to blame.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn put_again(&self) -> Result<(), Error> {
        let Some(mut trial) = self.trial() else {
            return Ok(());
        };
        trial.stage = Stage::New;
        directory::swap(self, &self.other())?;
        trial.new.at = SystemTime::now();
        self.note(&trial.new)?;
        self.write_trial(&trial)
    }

    /// Ends the trial: what stands in place stays, the other set goes.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn end_trial(&self) -> Result<(), Error> {
        let is_old = self.trial().is_some_and(|trial| {
            trial.stage == Stage::New && inode(&self.other()) != Some(trial.inode)
        });
        if is_old && self.other().is_dir() {
            self.retire(&self.other())?; // somebody may still read it
        }
        FILES
            .into_iter()
            .rev() // the note goes last: it tells what the directory is
            .try_for_each(|name| remove(&self.folder().join(name)))
    }

    /// The trial that a killed run left, with everything where it belongs at its stage.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn resume_trial(&self) -> Result<Option<Trial>, Error> {
        let Some(trial) = self.trial() else {
            self.end_trial()?; // a set that was staged, and no more
            return Ok(None);
        };
        let in_place = inode(self.target()) == Some(trial.inode);
        let standing = self.standing();
        let is_noted = |note: &Standing| standing.as_ref().is_some_and(|it| it.is_same(note));
        let (new, old) = (is_noted(&trial.new), is_noted(&trial.old));
        match trial.stage {
            Stage::New if new => {}
            Stage::New if old && in_place => self.note(&trial.new)?,
            Stage::TakenBack if in_place => self.put_old(&trial)?,
            Stage::TakenBack if new => self.note_old(&trial)?,
            Stage::TakenBack if old => {}
            // it never began, or another version was put in place since
            _ => {
                self.end_trial()?;
                return Ok(None);
            }
        }
        Ok(Some(trial))
    }

    fn write_trial(&self, trial: &Trial) -> Result<(), Error> {
        standing::write(&self.folder().join("trial"), trial)
    }

    /// Says that the files change now, for whoever asks which services started before.
    pub(crate) fn mark_change(&self) -> Result<(), Error> {
        Change::now().write(self.folder())
    }
}

fn inode(path: &Path) -> Option<u64> {
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata.is_dir().then(|| metadata.ino())
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
