//! State that rotations share since the boot, and groups of secrets that are rotated together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use zts_cli::{Failure, note};
use zts_delivery::{Declarations, uptime};
use zts_secure_fs::{Lock, LockKind};

use super::{outcome::Outcomes, run::TakenTimes};
use crate::file::{self, unwritable};

/// The state that rotations share.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The last run over each group.
    groups: BTreeMap<String, LastRun>,
    /// The results of each secret.
    pub(crate) secrets: BTreeMap<String, RotationRecord>,
    pub(crate) taken: TakenTimes,
}

#[derive(Serialize, Deserialize)]
struct LastRun {
    /// The time of its first query, counted from the boot.
    began: Duration,
    outcomes: Outcomes,
}

/// The results of a secret's rotations.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct RotationRecord {
    /// The time of the last success.
    #[serde(rename = "well")]
    pub(crate) last_success: Option<SystemTime>,
    /// Set if a rotation has failed since.
    pub(crate) failed: bool,
}

/// Takes the host's exclusive lock on rotations, held until the file is dropped. Says so if another
/// run holds it, because that may take minutes.
pub(crate) fn lock(folder: &Path) -> Result<Lock, Failure> {
    let path = folder.join("rotate.lock");
    file::folder_of(&path)?
        .open_lock_file("rotate.lock")
        .and_then(|file| {
            Lock::wait_and_report(file, LockKind::Exclusive, || {
                note("another run of `vault-secrets` is rotating secrets: waiting for it to end");
            })
        })
        .map_err(|cause| unwritable(&path, cause))
}

impl State {
    /// Reads the state in `folder`. A damaged file counts as none.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut state: Self = file::read(&folder.join("rotate.json"));
        // a time in the future is of another boot
        let now = uptime();
        state.groups.retain(|_, run| run.began <= now);
        state.taken.retain(|_, taken| *taken <= now);
        state
    }

    /// Writes the state into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let path = folder.join("rotate.json");
        let text = serde_json::to_vec(self).map_err(|cause| unwritable(&path, cause))?;
        file::write(&path, &text, 0o600)
    }

    /// Returns the results of a run over this group that began after `moment` and included `name`.
    pub(crate) fn outcomes_since(
        &self,
        group: &str,
        moment: Duration,
        name: &str,
    ) -> Option<&Outcomes> {
        let run = self.groups.get(group).filter(|run| run.began >= moment)?;
        run.outcomes.0.contains_key(name).then_some(&run.outcomes)
    }

    /// Records a run over a group.
    pub(crate) fn record_run(&mut self, group: &str, began: Duration, outcomes: &Outcomes) {
        self.record_secrets(outcomes);
        let outcomes = outcomes.clone();
        self.groups
            .insert(group.to_owned(), LastRun { began, outcomes });
    }

    /// Records the results of secrets.
    pub(crate) fn record_secrets(&mut self, outcomes: &Outcomes) {
        for (name, outcome) in &outcomes.0 {
            let record = self.secrets.entry(name.clone()).or_default();
            record.failed = outcome.failure.is_some();
            if !record.failed {
                record.last_success = Some(SystemTime::now());
            }
        }
    }

    /// Removes the records of secrets and services that are no longer declared.
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

/// Secrets that are rotated at the same times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group<'a> {
    /// A key that is unique to the group.
    pub(crate) key: String,
    /// The secrets' names.
    pub(crate) names: BTreeSet<&'a str>,
}

impl<'a> Group<'a> {
    /// Returns the group of `name`. A secret without a timer is a group by itself.
    pub(crate) fn of(name: &'a str, declarations: &'a Declarations) -> Self {
        let rotation = |name: &str| declarations.secrets.get(name)?.rotation.as_deref();
        let Some(calendar) = rotation(name) else {
            return Self {
                key: format!("secret {name}"),
                names: [name].into(),
            };
        };
        let names = declarations.secrets.keys().map(String::as_str);
        Self {
            key: format!("calendar {calendar}"),
            names: names
                .filter(|name| rotation(name) == Some(calendar))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zts_testkit::{declarations as declarations_of, declared_secret};

    use super::*;

    fn declarations() -> Declarations {
        let secret =
            |rotation: Option<&str>| declared_secret("x", &json!({ "rotation": rotation }));
        let (hourly, daily, none) = (secret(Some("hourly")), secret(Some("daily")), secret(None));
        let secrets = json!({ "a": hourly, "b": daily, "c": hourly, "d": none, "e": none });
        let text = declarations_of("h", "http://[::1]:1", Path::new("/a"), &secrets);
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn secrets_with_the_same_calendar_are_one_group() {
        let declarations = declarations();
        let names = |name| Group::of(name, &declarations).names;
        assert_eq!(names("c"), ["a", "c"].into());
        assert_eq!(names("b"), ["b"].into());
        assert_eq!(Group::of("a", &declarations), Group::of("c", &declarations));
    }

    #[test]
    fn those_that_are_not_rotated_are_no_group() {
        let declarations = declarations();
        assert_eq!(Group::of("d", &declarations).names, ["d"].into());
        assert_ne!(
            Group::of("d", &declarations).key,
            Group::of("e", &declarations).key
        );
    }
}
