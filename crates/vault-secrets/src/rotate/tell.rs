//! What is told of services.

use std::collections::BTreeSet;

use cli::{Failure, warn};
use delivery::OnChange;

use super::{
    carry_out::Reasons, needs::Action, plan::Plan, rounds::Case, transaction::Transaction,
};
use crate::words;

type Names = BTreeSet<String>;

impl Transaction<'_> {
    /// Services took what another service's start had brought.
    pub(super) fn tell_of_stale(&mut self, plan: &Plan<'_>) {
        let names: BTreeSet<_> = self.uses.iter().map(|one| one.secret).collect();
        let names = names
            .into_iter()
            .filter(|name| !plan.trials.contains_key(name) && self.outcomes.0.contains_key(*name));
        let told: Vec<_> = names.map(|name| (name, self.told(plan, name))).collect();
        for (name, told) in told {
            if !told.is_empty() && self.outcomes.of(name).done.is_none() {
                let done = format!("what stands there changed earlier{told}");
                self.outcomes.done(name, done);
            }
        }
    }

    /// Which services were restarted or reloaded for a secret.
    pub(super) fn told(&self, plan: &Plan<'_>, name: &str) -> String {
        let users: Names = self
            .uses
            .iter()
            .filter(|one| one.secret == name && one.on_change != OnChange::Nothing)
            .map(|one| one.service.to_owned())
            .collect();
        let mut told = String::new();
        for (verb, actions) in [
            ("restarted", [Action::Restart, Action::Start]),
            ("reloaded", [Action::Reload; 2]),
        ] {
            let acted = plan
                .needs
                .iter()
                .filter(|(service, action)| users.contains(*service) && actions.contains(action));
            let acted: Vec<_> = acted.map(|(service, _)| service).collect();
            if !acted.is_empty() {
                told = format!("{told}; {verb} {}", words::list(acted));
            }
        }
        told
    }

    pub(super) fn tell_of_hopeless(&mut self, plan: &Plan<'_>, case: &Case, reasons: &Reasons) {
        for service in case.hopeless() {
            let reason = &reasons[service];
            let hint = format!("its trouble is its own: `journalctl -u {service}` says more");
            if case.is_excused(service) {
                warn(format_args!(
                    "`{service}` had failed before, and does not come up with what is new either: {reason}"
                ));
                continue;
            }
            for name in &self.told_of(service, plan) {
                let told = match plan.trials.get(name.as_str()) {
                    Some(trial) => format!(
                        "`{service}` does not come up, neither with version {} nor with {}: {reason}",
                        trial.new.version, trial.old.version
                    ),
                    None => format!("`{service}` does not come up: {reason}"),
                };
                self.outcomes
                    .fail(name, Failure::failed(told).hint(hint.clone()));
            }
        }
    }

    /// The secrets under whose names a service's trouble is told: those that it tried, else those that it
    /// took.
    fn told_of(&self, service: &str, plan: &Plan<'_>) -> Names {
        let its = self.uses.iter().filter(|one| one.service == service);
        let used: Names = its.map(|one| one.secret.to_owned()).collect();
        let tried = |name: &&String| plan.trials.contains_key(name.as_str());
        let tried: Names = used.iter().filter(tried).cloned().collect();
        if !tried.is_empty() {
            return tried;
        }
        let in_scope = |name: &String| self.outcomes.0.contains_key(name);
        used.into_iter().filter(in_scope).collect()
    }
}
