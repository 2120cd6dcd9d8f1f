//! The note of a rollout, and the names of its files.

use std::{collections::BTreeSet, path::Path};

use serde::{Deserialize, Serialize};

use crate::{DeployedVersion, LastChange, StateDir, error::Error, private_file};

pub(super) const NOTE: &str = "rollout";
pub(super) const NOTE_ROLLED_BACK: &str = "rollout.rolled-back";
pub(super) const ROLLBACK: &str = "rollback";

/// The files of a rollout in the state directory, the notes first.
pub(crate) const FILES: [&str; 5] = [
    NOTE,
    NOTE_ROLLED_BACK,
    "rollout.new",
    "rollout.rolled-back.new",
    ROLLBACK,
];

/// The stage of a rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RolloutStage {
    /// The new version is in the output directory.
    #[default]
    Unproven,
    /// The new version was rolled back.
    RolledBack,
}

/// The note of a version that is deployed and unproven, or was rolled back and not rejected yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingRollout {
    /// The unproven version.
    pub new: DeployedVersion,
    /// The version to roll back to: the proven one or, while none is proven, the replaced one.
    pub old: Option<DeployedVersion>,
    /// The replaced version, if that was unproven, too. It is still deployed if the run was killed
    /// before the exchange.
    #[serde(default)]
    pub(super) replaces: Option<DeployedVersion>,
    /// The change of the files before this rollout, if it happened in this boot. It is restored
    /// when the rollout ends with a roll-back, because the files of that time are deployed again.
    #[serde(default)]
    pub(super) before: Option<LastChange>,
    /// The stage, by the note's name.
    #[serde(skip)]
    pub stage: RolloutStage,
    /// The services that have come up with it.
    #[serde(default)]
    pub came_up: BTreeSet<String>,
    /// The services that failed with it, and thus caused the roll-back.
    #[serde(default)]
    pub blamed: BTreeSet<String>,
    /// Services that come up with neither version. They cause no roll-back.
    #[serde(default)]
    pub failed_regardless: BTreeSet<String>,
    /// The inode of the new set's directory.
    pub(super) inode: u64,
}

impl PendingRollout {
    /// Returns the rollout beside the output directory `target`. Takes no lock.
    ///
    /// # Errors
    /// The system's errors.
    pub fn read(target: &Path) -> Result<Option<Self>, Error> {
        StateDir::path_for(target).map_or(Ok(None), |folder| Self::read_in(&folder))
    }

    pub(super) fn read_in(folder: &Path) -> Result<Option<Self>, Error> {
        let rolled_back: Option<Self> = private_file::read_note(&folder.join(NOTE_ROLLED_BACK))?;
        if let Some(rollout) = rolled_back {
            return Ok(Some(Self {
                stage: RolloutStage::RolledBack,
                ..rollout
            }));
        }
        private_file::read_note(&folder.join(NOTE))
    }

    /// Returns the number of the unproven version in the output directory `target`. Takes no lock.
    ///
    /// # Errors
    /// The system's errors.
    pub fn unproven_version(target: &Path) -> Result<Option<u64>, Error> {
        let rollout = Self::read(target)?;
        let unproven = rollout.filter(|rollout| rollout.stage == RolloutStage::Unproven);
        Ok(unproven.map(|rollout| rollout.new.version))
    }

    /// Returns whether `version` was rolled back. Its rejection may not be written yet.
    pub fn has_rolled_back(&self, version: u64, created_time: &str) -> bool {
        self.stage == RolloutStage::RolledBack
            && self.new.version == version
            && self.new.created_time.as_deref() == Some(created_time)
    }
}
