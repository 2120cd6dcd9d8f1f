//! Decides which services to restart, reload or monitor, from the state of units and directories
//! alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use zts_cli::Failure;
use zts_delivery::{OnChange, PendingRollout, RolloutStage};

use super::run::{Run, TakenTimes, Use};
use crate::{
    systemd::{self, Unit, Units},
    text::Names,
};

/// An action on a service. Of two, the greater one is performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// The service has taken the files already, and is only monitored.
    Monitor,
    /// The service is reloaded.
    Reload,
    /// The service is restarted.
    Restart,
    /// The service had failed and is restarted, since it may come up with the new files. If it
    /// does not, nothing is rolled back.
    RestartFailed,
}

/// Actions, by the services' names.
pub(super) type Actions = BTreeMap<String, Action>;

/// The actions on services, and the rollouts that end with them.
pub(super) struct Plan<'a> {
    pub(super) units: Units,
    pub(super) actions: Actions,
    pub(super) rollouts: BTreeMap<&'a str, PendingRollout>,
    /// The time of the reloads and restarts, counted from the boot.
    pub(super) at: Duration,
}

/// Returns the action on each service of this run that needs one. `updated` are the secrets whose
/// files this run changes, and `wanted` the failed services that an active unit wants.
pub(super) fn plan(
    run: &Run<'_>,
    units: &Units,
    updated: &BTreeSet<&str>,
    wanted: &Names,
) -> Actions {
    let changed = run.scope.iter().filter_map(|name| {
        let changed = run.last_change(name).ok().flatten()?; // a later run reads it again
        Some((*name, changed))
    });
    let state = HostState {
        units,
        changed: changed.collect(),
        updated,
        taken: run.taken,
        wanted,
    };
    let in_scope = run.uses.iter().filter(|one| run.scope.contains(one.secret));
    state.actions(in_scope)
}

/// The state of the host before any action.
struct HostState<'a> {
    units: &'a Units,
    /// The last change of each secret's files, counted from the boot.
    changed: BTreeMap<&'a str, Duration>,
    updated: &'a BTreeSet<&'a str>,
    taken: &'a TakenTimes,
    wanted: &'a Names,
}

impl HostState<'_> {
    /// Returns an action for services that run with older files, and for those that failed and may
    /// come up with the new ones. Other services fetch when they start.
    fn actions<'u>(&self, uses: impl IntoIterator<Item = &'u Use<'u>>) -> Actions {
        let mut actions = Actions::new();
        for one in uses {
            if let Some(action) = self.action(one) {
                raise(&mut actions, one.service, action);
            }
        }
        actions
    }

    fn action(&self, one: &Use<'_>) -> Option<Action> {
        let unit = self.units.get(one.service)?;
        let action = match one.on_change {
            OnChange::Nothing => return None,
            OnChange::Reload => Action::Reload,
            OnChange::Restart => Action::Restart,
        };
        let is_updated = self.updated.contains(one.secret);
        if unit.is_down() {
            let may_come_up = is_updated && self.wanted.contains(one.service);
            return may_come_up.then_some(Action::RestartFailed);
        }
        (unit.is_running() && (is_updated || self.is_stale(unit, one))).then_some(action)
    }

    /// Returns whether the files changed after the service read them.
    fn is_stale(&self, unit: &Unit, one: &Use<'_>) -> bool {
        let taken = self.taken.get(one.service).copied().unwrap_or_default();
        let changed = self.changed.get(one.secret).copied().unwrap_or_default();
        changed > unit.read_files_at().max(taken)
    }
}

fn raise(actions: &mut Actions, service: &str, action: Action) {
    let entry = actions.entry(service.to_owned()).or_insert(action);
    *entry = action.max(*entry);
}

/// Returns the failed services that use an updated secret and that an active unit wants.
pub(super) fn wanted_failed_services(
    run: &Run<'_>,
    units: &Units,
    updated: &BTreeSet<&str>,
) -> Result<Names, Failure> {
    let has_update = |service: &str| {
        run.uses_by_service(service)
            .any(|one| updated.contains(one.secret))
    };
    let failed = units
        .iter()
        .filter(|(service, unit)| unit.is_down() && has_update(service));
    let failed = failed.map(|(name, unit)| (name.clone(), unit.clone()));
    systemd::wanted(&failed.collect())
}

/// Returns the services that are restarted or started.
pub(super) fn restarted(actions: &Actions) -> Names {
    let restarted = actions
        .iter()
        .filter(|(_, action)| **action >= Action::Restart);
    restarted.map(|(service, _)| service.clone()).collect()
}

/// Returns the updated secrets that must wait, each with a restarted service and the secret because
/// of which the restart would fail.
pub(super) fn held_back<'a>(
    uses: &[Use<'a>],
    restarted: &Names,
    updated: &BTreeSet<&str>,
    unfetchable: &BTreeSet<&str>,
) -> BTreeMap<&'a str, (&'a str, &'a str)> {
    let mut held = BTreeMap::new();
    let is_restarted = |one: &&Use<'_>| restarted.contains(one.service);
    for one in uses.iter().filter(is_restarted) {
        let blocks =
            |other: &&Use<'_>| other.service == one.service && unfetchable.contains(other.secret);
        if updated.contains(one.secret)
            && let Some(other) = uses.iter().find(blocks)
        {
            held.insert(one.secret, (one.service, other.secret));
        }
    }
    held
}

/// Drops the restarts that would fail because another secret of the service cannot be fetched.
pub(super) fn drop_failing_restarts(
    run: &Run<'_>,
    unfetchable: &BTreeSet<&str>,
    actions: &mut Actions,
) {
    actions.retain(|service, action| {
        let mut uses = run.uses_by_service(service);
        *action == Action::Reload || !uses.any(|one| unfetchable.contains(one.secret))
    });
}

/// Adds the services that took an unproven version by a start of their own. Of a version that was
/// rolled back, adds those that have not come up again.
pub(super) fn add_rollouts(
    run: &Run<'_>,
    rollouts: &BTreeMap<&str, PendingRollout>,
    units: &Units,
    actions: &mut Actions,
) {
    for one in &run.uses {
        let (Some(rollout), Some(unit)) = (rollouts.get(one.secret), units.get(one.service)) else {
            continue;
        };
        let has_taken = run.has_taken_change(one, unit);
        let has_failed_regardless =
            || rollout.failed_regardless.contains(one.service) && unit.is_failing();
        let action = match rollout.stage {
            RolloutStage::Unproven
                if rollout.came_up.contains(one.service) || has_failed_regardless() =>
            {
                None
            }
            RolloutStage::Unproven => action_on_unproven(unit, has_taken),
            RolloutStage::RolledBack => action_on_rolled_back(unit, has_taken, one.on_change),
        };
        if let Some(action) = action {
            raise(actions, one.service, action);
        }
    }
}

/// Returns the action on a service whose deployed version is unproven.
fn action_on_unproven(unit: &Unit, has_taken: bool) -> Option<Action> {
    let is_done = unit.kind == "oneshot" && unit.result == "success";
    let has_failed = unit.is_failing() || unit.was_set_back();
    let is_at_work = unit.is_running() || has_failed || unit.active == "activating";
    let is_monitored = has_taken && (is_at_work || is_done) || unit.has_job && unit.is_at_rest();
    (unit.is_loaded && is_monitored).then_some(Action::Monitor)
}

/// Returns the action on a service whose version was rolled back by a killed run. That run may not
/// have restarted or reloaded the service.
fn action_on_rolled_back(unit: &Unit, has_taken: bool, on_change: OnChange) -> Option<Action> {
    if !unit.is_loaded {
        return None;
    }
    if unit.is_failing() || unit.was_set_back() {
        return Some(Action::RestartFailed);
    }
    if unit.active == "inactive" {
        return None; // it was stopped since
    }
    Some(match on_change {
        _ if has_taken => Action::Monitor,
        OnChange::Reload => Action::Reload,
        OnChange::Restart | OnChange::Nothing => Action::Restart,
    })
}

#[cfg(test)]
#[path = "actions_tests.rs"]
mod tests;
