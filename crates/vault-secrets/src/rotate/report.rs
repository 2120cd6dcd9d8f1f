//! Records the changes and failures of services at the end of a run.

use std::collections::BTreeSet;

use zts_cli::{Failure, warn};
use zts_delivery::OnChange;

use super::{
    actions::{Action, Plan},
    monitor::Reasons,
    rollback_decision::RollbackDecision,
    run::Run,
};
use crate::text::{self, Names};

/// Records the services that were restarted or reloaded because of files that changed before this
/// run.
pub(super) fn record_older_changes(run: &mut Run<'_>, plan: &Plan<'_>) {
    let names: BTreeSet<_> = run.uses.iter().map(|one| one.secret).collect();
    for name in names {
        let is_pending = plan.rollouts.contains_key(name);
        if is_pending || !run.outcomes.0.contains_key(name) {
            continue;
        }
        let acted = acted_services(run, plan, name);
        if !acted.is_empty() && run.outcomes.of(name).done.is_none() {
            let done = format!("the files changed earlier{acted}");
            run.outcomes.done(name, done);
        }
    }
}

/// Names the services that were restarted or reloaded for a secret, as the end of a message.
pub(super) fn acted_services(run: &Run<'_>, plan: &Plan<'_>, name: &str) -> String {
    let users: Names = run
        .uses_of_secret(name)
        .filter(|one| one.on_change != OnChange::Nothing)
        .map(|one| one.service.to_owned())
        .collect();
    let mut acted = String::new();
    for (verb, actions) in [
        ("restarted", [Action::Restart, Action::RestartFailed]),
        ("reloaded", [Action::Reload; 2]),
    ] {
        let services: Vec<_> = plan
            .actions
            .iter()
            .filter(|(service, action)| users.contains(*service) && actions.contains(action))
            .map(|(service, _)| service)
            .collect();
        if !services.is_empty() {
            acted = format!("{acted}; {verb} {}", text::list(services));
        }
    }
    acted
}

/// Records the services that fail regardless of any roll-back.
pub(super) fn record_failed_regardless(
    run: &mut Run<'_>,
    plan: &Plan<'_>,
    decision: &RollbackDecision,
    reasons: &Reasons,
) {
    for service in decision.failed_regardless() {
        let reason = &reasons[service];
        if decision.had_already_failed(service) {
            warn(format_args!(
                "`{service}` had failed before, and does not come up with the new files either: {reason}"
            ));
            continue;
        }
        for name in secrets_to_report(run, service, plan) {
            let rollout = plan.rollouts.get(name.as_str());
            let versions = match rollout.map(|rollout| (&rollout.new, rollout.old.as_ref())) {
                Some((new, Some(old))) => format!(
                    ", neither with version {} nor with {}",
                    new.version, old.version
                ),
                Some((new, None)) => format!(
                    " with version {}, and no earlier version is proven",
                    new.version
                ),
                None => String::new(),
            };
            let failure =
                Failure::failed(format!("`{service}` does not come up{versions}: {reason}"));
            let hint = format!("`journalctl -u {service}` shows why it fails");
            run.outcomes.fail(&name, failure.hint(hint));
        }
    }
}

/// Returns the secrets under whose names a service's failure is reported: those with a rollout,
/// else those of this run.
fn secrets_to_report(run: &Run<'_>, service: &str, plan: &Plan<'_>) -> Names {
    let used = run.uses_by_service(service).map(|one| one.secret);
    let used: BTreeSet<_> = used.collect();
    let is_pending = |name: &&str| plan.rollouts.contains_key(name);
    let in_run = |name: &&str| run.outcomes.0.contains_key(*name);
    let owned = |name: &str| name.to_owned();
    let pending: Names = used.iter().copied().filter(is_pending).map(owned).collect();
    if pending.is_empty() {
        return used.into_iter().filter(in_run).map(owned).collect();
    }
    pending
}
