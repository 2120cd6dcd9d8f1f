//! What runs know of each other, since the boot.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use cli::Failure;
use delivery::{Declarations, uptime};
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::outcome::Outcomes;
use crate::file::{self, unwritable};

/// What runs know of each other.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The last run over each group.
    groups: BTreeMap<String, Run>,
    /// The secrets that were looked after.
    pub(crate) secrets: BTreeMap<String, Looked>,
    /// When each service last took the files that stood there without a start of its own: counted from
    /// the boot.
    pub(crate) taken: BTreeMap<String, Duration>,
}

#[derive(Serialize, Deserialize)]
struct Run {
    /// When it began to ask, counted from the boot.
    began: Duration,
    outcomes: Outcomes,
}

/// How looking after a secret went.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Looked {
    /// When it last went well.
    pub(crate) well: Option<SystemTime>,
    /// Whether it went wrong since.
    pub(crate) failed: bool,
}

/// Waits until no other rotation runs on this host, and keeps others from it until this is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join("rotate.lock");
    let opened = file::folder_of(&path)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(opened.within("rotate.lock"))
        .map_err(|cause| unwritable(&path, cause))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|cause| unwritable(&path, cause))?;
    Ok(file)
}

impl State {
    pub(crate) fn read(folder: &Path) -> Self {
        let mut state: Self = file::read(&folder.join("rotate.json"));
        // what seems to lie ahead is of another boot
        let now = uptime();
        state.groups.retain(|_, run| run.began <= now);
        state.taken.retain(|_, taken| *taken <= now);
        state
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let path = folder.join("rotate.json");
        let text = serde_json::to_vec(self).map_err(|cause| unwritable(&path, cause))?;
        file::write(&path, &text, 0o600)
    }

    /// How a run over this group went that began to ask after `moment`, if it was about `name`.
    pub(crate) fn since(&self, group: &str, moment: Duration, name: &str) -> Option<&Outcomes> {
        let run = self.groups.get(group).filter(|run| run.began >= moment)?;
        run.outcomes.0.contains_key(name).then_some(&run.outcomes)
    }

    pub(crate) fn note(&mut self, group: &str, began: Duration, outcomes: &Outcomes) {
        for (name, outcome) in &outcomes.0 {
            let looked = self.secrets.entry(name.clone()).or_default();
            looked.failed = outcome.failure.is_some();
            if !looked.failed {
                looked.well = Some(SystemTime::now());
            }
        }
        let outcomes = outcomes.clone();
        self.groups
            .insert(group.to_owned(), Run { began, outcomes });
    }

    pub(crate) fn forget_undeclared(&mut self, declarations: &Declarations) {
        let declared = |name: &str| declarations.secrets.contains_key(name);
        self.secrets.retain(|name, _| declared(name));
        self.groups
            .retain(|_, run| run.outcomes.0.keys().any(|name| declared(name)));
        self.taken.retain(|service, _| {
            let mut secrets = declarations.secrets.values();
            secrets.any(|secret| secret.services.contains(service))
        });
    }
}
