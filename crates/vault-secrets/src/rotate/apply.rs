//! Restarts and reloads services, rolls back versions with which they fail, and ends rollouts.

use std::collections::BTreeMap;

use zts_cli::{Failure, note, warn};
use zts_delivery::{OnChange, RolloutStage, uptime};

use super::{
    actions::{Action, Plan},
    monitor::{Monitor, Reasons},
    report,
    rollback_decision::RollbackDecision,
    rollouts,
    run::Run,
    templates,
};
use crate::{
    followers::Followers,
    systemd::{self, Unit},
    text::Names,
};

/// Performs the actions of a plan, rolls back versions with which services fail, and ends rollouts.
pub(super) fn apply_plan(run: &mut Run<'_>, plan: &Plan<'_>) -> Result<(), Failure> {
    let mut services = Services {
        decision: new_decision(run, plan),
        monitor: Monitor::new(run.limits),
        followers: Followers::of(plan.actions.keys().cloned().collect())?,
        reasons: Reasons::new(),
    };
    for (service, action) in &plan.actions {
        services
            .monitor
            .request(service, *action, &plan.units[service])?;
        if *action == Action::Reload {
            run.taken.insert(service.clone(), plan.at);
        }
    }
    services.roll_back_failing(run, plan)?;
    services.reapply_unhelpful(run, plan)?;
    let Services {
        decision,
        monitor,
        reasons,
        ..
    } = services;
    for (service, reason) in monitor.unknown() {
        note(format_args!(
            "it is not known whether `{service}` comes up with the new files: {reason}"
        ));
    }
    rollouts::end(run, plan, &decision, &monitor)?;
    report::record_older_changes(run, plan);
    report::record_failed_regardless(run, plan, &decision, &reasons);
    Ok(())
}

/// The services of a plan while they come up or fail.
struct Services {
    decision: RollbackDecision,
    monitor: Monitor,
    followers: Followers,
    reasons: Reasons,
}

impl Services {
    /// Rolls back the versions with which services fail, until no more service fails.
    fn roll_back_failing(&mut self, run: &mut Run<'_>, plan: &Plan<'_>) -> Result<(), Failure> {
        loop {
            let failed = self.monitor.next_failures()?;
            if failed.is_empty() {
                if self.monitor.monitor_again(&self.followers.bring_up()?)? {
                    continue;
                }
                return Ok(());
            }
            let services: Names = failed.keys().cloned().collect();
            self.followers.observe(&services)?;
            self.reasons.extend(failed);
            let secrets = self.decision.roll_back(&services);
            for name in roll_back_secrets(run, &secrets, &self.reasons, &services) {
                self.decision.cannot_roll_back(&name);
            }
            templates::render_again(run, &secrets.iter().map(String::as_str).collect());
            let users = self.decision.users(&secrets);
            request_again(run, &users, &services, plan, &mut self.monitor)?;
            self.decision.acted_on(&users);
        }
    }

    /// Reapplies the versions whose roll-back did not help, and waits for the services again.
    fn reapply_unhelpful(&mut self, run: &mut Run<'_>, plan: &Plan<'_>) -> Result<(), Failure> {
        let reapplied = self.decision.reapply();
        for name in &reapplied {
            rollouts::reapply(&run.secrets[name.as_str()])?;
        }
        templates::render_again(run, &reapplied.iter().map(String::as_str).collect());
        let users = self.decision.users(&reapplied);
        let failed = self.decision.failed_regardless();
        request_again(run, &users, failed, plan, &mut self.monitor)?;
        loop {
            let failed = self.monitor.next_failures()?;
            if failed.is_empty() {
                break;
            }
            self.followers.observe(&failed.keys().cloned().collect())?;
            self.reasons.extend(failed);
        }
        if !reapplied.is_empty() {
            self.followers.bring_up_again()?;
        }
        Ok(())
    }
}

fn new_decision(run: &Run<'_>, plan: &Plan<'_>) -> RollbackDecision {
    let mut uses = BTreeMap::<_, Names>::new();
    for one in &run.uses {
        let Some(rollout) = plan.rollouts.get(one.secret) else {
            continue;
        };
        // a later failure is not due to a version with which the service came up before
        let may_roll_back = rollouts::can_roll_back(&run.secrets[one.secret], rollout)
            && !rollout.came_up.contains(one.service)
            && !rollout.failed_regardless.contains(one.service);
        if plan.actions.contains_key(one.service) && may_roll_back {
            let secrets = uses.entry(one.service.to_owned()).or_default();
            secrets.insert(one.secret.to_owned());
        }
    }
    let mut decision = RollbackDecision::new(uses);
    for (name, rollout) in &plan.rollouts {
        if rollout.stage == RolloutStage::RolledBack {
            let mut blamed = rollout.blamed.clone();
            if blamed.is_empty() {
                // a full disk had no room for the services' names
                let of_secret = run.uses_of_secret(name);
                blamed.extend(of_secret.map(|one| one.service.to_owned()));
            }
            decision.add_rolled_back(name, &blamed);
        }
    }
    for (service, action) in &plan.actions {
        let mut rollouts = plan.rollouts.values();
        let is_blamed = rollouts.any(|rollout| rollout.blamed.contains(service));
        if *action == Action::RestartFailed && !is_blamed {
            decision.add_already_failed(service);
        }
    }
    decision
}

/// Rolls secrets back, and returns those of which that was not possible.
fn roll_back_secrets(run: &Run<'_>, secrets: &Names, reasons: &Reasons, services: &Names) -> Names {
    let mut remaining = Names::new();
    for name in secrets {
        let blamed: Names = run
            .uses_of_secret(name)
            .map(|one| one.service.to_owned())
            .filter(|service| services.contains(service))
            .collect();
        let reason: Vec<_> = blamed
            .iter()
            .map(|service| format!("`{service}` did not come up: {}", reasons[service]))
            .collect();
        let reason = reason.join("; ");
        warn(format_args!("`{name}` is rolled back: {reason}"));
        // an error does not keep the others from being rolled back
        if let Err(error) = rollouts::roll_back(&run.secrets[name.as_str()], &blamed, &reason) {
            warn(format_args!("`{name}` could not be rolled back: {error}"));
            remaining.insert(name.clone());
        }
    }
    remaining
}

/// Makes services take the files that are deployed now. `failed` are those that did not come up.
fn request_again(
    run: &mut Run<'_>,
    services: &Names,
    failed: &Names,
    plan: &Plan<'_>,
    monitor: &mut Monitor,
) -> Result<(), Failure> {
    let at = uptime();
    let units = systemd::show(services)?;
    let wanted = systemd::wanted(&units)?;
    for (service, unit) in &units {
        // a service that was stopped meanwhile stays stopped
        let was_stopped = unit.was_stopped() && !unit.has_job && !failed.contains(service);
        if !unit.is_loaded || was_stopped {
            continue;
        }
        let is_restarted = || {
            run.uses_by_service(service)
                .any(|one| one.on_change == OnChange::Restart)
        };
        let may_reload = match plan.actions.get(service) {
            Some(Action::Reload) => true,
            Some(Action::Monitor) => !is_restarted(),
            Some(Action::Restart | Action::RestartFailed) | None => false,
        };
        let action = if may_reload && unit.is_active() {
            run.taken.insert(service.clone(), at);
            Action::Reload
        } else {
            Action::RestartFailed
        };
        if is_left_to_its_socket(service, unit, &wanted)? {
            continue;
        }
        monitor.request(service, action, unit)?;
    }
    Ok(())
}

/// Leaves a service that only its socket starts to the next connection, and returns whether it is
/// one. A socket that failed with its service is started again, because the service cannot start
/// without it.
fn is_left_to_its_socket(service: &str, unit: &Unit, wanted: &Names) -> Result<bool, Failure> {
    let sockets = unit.triggered_by.iter();
    let sockets: Names = sockets
        .filter(|name| name.ends_with(".socket"))
        .cloned()
        .collect();
    if sockets.is_empty() || unit.is_active() || wanted.contains(service) {
        return Ok(false);
    }
    let failed = systemd::show(&sockets)?;
    let failed = failed.iter().filter(|(_, unit)| unit.active == "failed");
    let failed: Vec<_> = failed.map(|(name, _)| name.as_str()).collect();
    systemd::run("reset-failed", &[&[service], failed.as_slice()].concat())?;
    if !failed.is_empty()
        && let Some(reason) = systemd::run("start", &failed)?
    {
        warn(format_args!(
            "`{service}` is not started by its socket: {reason}"
        ));
    }
    Ok(true)
}
