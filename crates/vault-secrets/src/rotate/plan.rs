//! What is to be done, once the new versions are in place.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cli::Failure;
use delivery::{Stage, Trial};

use super::{
    commit,
    needs::Action,
    place::{Placed, Versions},
    transaction::Transaction,
};
use crate::systemd::Units;

/// What the services are to be brought to.
pub(super) struct Plan<'a> {
    pub(super) units: Units,
    pub(super) needs: BTreeMap<String, Action>,
    pub(super) trials: BTreeMap<&'a str, Trial>,
    pub(super) versions: Versions<'a>,
    /// When the services were told to take the new files.
    pub(super) at: Duration,
}

impl<'a> Transaction<'a> {
    /// The services that try each secret.
    pub(super) fn triers(
        &self,
        needs: &BTreeMap<String, Action>,
    ) -> BTreeMap<&'a str, BTreeSet<String>> {
        let mut triers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for one in self.uses.iter().filter(|one| {
            needs
                .get(one.service)
                .is_some_and(|action| *action != Action::Start)
        }) {
            let services = triers.entry(one.secret).or_default();
            services.insert(one.service.to_owned());
        }
        triers
    }

    /// Tells of what was not put on trial, and gives what was changed.
    pub(super) fn sort(
        &mut self,
        placed: &BTreeMap<&'a str, Placed>,
        versions: &Versions<'a>,
    ) -> BTreeSet<&'a str> {
        let mut changed = BTreeSet::new();
        for (name, placed) in placed {
            let (secret, fresh) = &versions[name];
            let version = fresh.secret.metadata.version;
            match placed {
                Placed::OnTrial => {
                    changed.insert(*name);
                }
                Placed::First => {
                    commit::keep(secret, &fresh.secret);
                    changed.insert(*name);
                    let done = format!("version {version} is in place");
                    self.outcomes.done(name, done);
                }
                Placed::Equal => {
                    commit::keep(secret, &fresh.secret);
                    let done = format!("version {version} has the same files as the one before");
                    self.outcomes.done(name, done);
                }
                Placed::Overtaken => {
                    let done = format!("version {version} was overtaken by another run");
                    self.outcomes.done(name, done);
                }
                Placed::Failed(error) => {
                    let failure = Failure::failed(format!(
                        "version {version} could not be put in place: {error}"
                    ));
                    self.outcomes.fail(name, failure);
                }
            }
        }
        changed
    }

    /// A service whose restart would fail for want of another secret keeps running with what it has.
    pub(super) fn leave_alone(&self, lost: &BTreeSet<&str>, needs: &mut BTreeMap<String, Action>) {
        needs.retain(|service, action| {
            let mut uses = self.uses.iter().filter(|one| one.service == service);
            *action == Action::Reload || !uses.any(|one| lost.contains(one.secret))
        });
    }

    pub(super) fn trials(
        &self,
        leftover: &BTreeMap<&'a str, Trial>,
        placed: &BTreeMap<&'a str, Placed>,
    ) -> BTreeMap<&'a str, Trial> {
        let mut trials = leftover.clone();
        for (name, placed) in placed {
            let output = &self.secrets[name].declared.output_directory;
            if let (Placed::OnTrial, Some(trial)) = (placed, Trial::of(output)) {
                trials.insert(*name, trial);
            }
        }
        trials
    }
}

/// The services of a trial that was cut short: what they were told then may not have been done.
pub(super) fn watch_leftover(
    leftover: &BTreeMap<&str, Trial>,
    units: &Units,
    needs: &mut BTreeMap<String, Action>,
) {
    for trial in leftover.values() {
        for service in &trial.services {
            let Some(unit) = units.get(service).filter(|unit| unit.is_loaded) else {
                continue;
            };
            let action = match trial.stage {
                Stage::TakenBack if unit.is_failing() || unit.was_set_back() => Action::Start,
                // somebody stopped it since
                _ if unit.active == "inactive" && !unit.was_set_back() => continue,
                _ => Action::Watch,
            };
            let entry = needs.entry(service.clone()).or_insert(action);
            *entry = action.max(*entry);
        }
    }
}
