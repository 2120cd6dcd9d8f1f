//! Has the services take the new files, takes back what they do not come up with, and ends the trials.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cli::{Failure, warn};
use delivery::{OnChange, Stage};

use super::{
    commit, needs::Action, news::Asker, plan::Plan, rounds::Case, transaction::Transaction,
    watch::Watch,
};
use crate::systemd;

type Names = BTreeSet<String>;

/// Services that did not come up, with the last reason.
pub(super) type Reasons = BTreeMap<String, String>;

impl Transaction<'_> {
    pub(super) fn carry_out(
        &mut self,
        plan: &Plan<'_>,
        asker: &mut Asker<'_>,
        taken: &mut BTreeMap<String, Duration>,
    ) -> Result<(), Failure> {
        let mut case = self.case(plan);
        let mut watch = Watch::new(self.settle);
        for (service, action) in &plan.needs {
            watch.act(service, *action, &plan.units[service])?;
            if *action == Action::Reload {
                taken.insert(service.clone(), plan.at);
            }
        }
        let mut reasons = Reasons::new();
        loop {
            let bad = watch.next_bad()?;
            if bad.is_empty() {
                break;
            }
            let services: Names = bad.keys().cloned().collect();
            reasons.extend(bad);
            let back = case.take_back(&services);
            self.take_back(&back, &reasons, &services)?;
            self.act_again(&case.users(&back), plan, &mut watch, taken)?;
            case.acted_on(&case.users(&back));
        }
        let again = case.put_again();
        for name in &again {
            commit::put_again(&self.secrets[name.as_str()])?;
        }
        self.act_again(&case.users(&again), plan, &mut watch, taken)?;
        loop {
            let bad = watch.next_bad()?;
            if bad.is_empty() {
                break;
            }
            reasons.extend(bad);
        }
        self.end_trials(plan, &case, asker);
        self.tell_of_hopeless(plan, &case, &reasons);
        Ok(())
    }

    fn case(&self, plan: &Plan<'_>) -> Case {
        let mut tried_by = BTreeMap::<_, Names>::new();
        for one in &self.uses {
            if plan.needs.contains_key(one.service) && plan.trials.contains_key(one.secret) {
                let tried = tried_by.entry(one.service.to_owned()).or_default();
                tried.insert(one.secret.to_owned());
            }
        }
        let mut case = Case::new(tried_by);
        for (name, trial) in &plan.trials {
            if trial.stage == Stage::TakenBack {
                case.was_taken_back(name, &trial.services);
            }
        }
        let had_failed = plan.needs.iter().filter(|(service, action)| {
            let tries = |name: &str| plan.trials[name].services.contains(*service);
            **action == Action::Start && !plan.trials.keys().any(|name| tries(name))
        });
        for (service, _) in had_failed {
            case.excuse(service);
        }
        case
    }

    fn take_back(
        &self,
        secrets: &Names,
        reasons: &Reasons,
        services: &Names,
    ) -> Result<(), Failure> {
        for name in secrets {
            let uses = self.uses.iter().filter(|one| one.secret == name);
            let bad = uses.filter(|one| services.contains(one.service));
            let told: Vec<_> = bad
                .map(|one| {
                    format!(
                        "`{}` did not come up: {}",
                        one.service, reasons[one.service]
                    )
                })
                .collect();
            let told = told.join("; ");
            warn(format_args!("`{name}` is taken back: {told}"));
            commit::take_back(&self.secrets[name.as_str()], &told)?;
        }
        Ok(())
    }

    /// Has services take the files that stand there now.
    fn act_again(
        &self,
        services: &Names,
        plan: &Plan<'_>,
        watch: &mut Watch,
        taken: &mut BTreeMap<String, Duration>,
    ) -> Result<(), Failure> {
        let at = delivery::uptime();
        let units = systemd::show(services)?;
        for (service, unit) in &units {
            let may_reload = plan.needs.get(service).is_some_and(|action| match action {
                Action::Reload => true,
                Action::Watch => !self.is_restarted(service),
                Action::Restart | Action::Start => false,
            });
            let action = if may_reload && unit.is_active() {
                taken.insert(service.clone(), at);
                Action::Reload
            } else {
                Action::Start
            };
            watch.act(service, action, unit)?;
        }
        Ok(())
    }

    fn is_restarted(&self, service: &str) -> bool {
        let mut uses = self.uses.iter().filter(|one| one.service == service);
        uses.any(|one| one.on_change == OnChange::Restart)
    }

    fn end_trials(&mut self, plan: &Plan<'_>, case: &Case, asker: &mut Asker<'_>) {
        for (name, trial) in &plan.trials {
            let secret = self.secrets[name].clone();
            if let Some(blamed) = case.blamed(name) {
                let told = commit::refuse(&secret, blamed);
                self.outcomes.fail(name, told.unwrap_or_else(Failure::from));
                continue;
            }
            let fresh = plan.versions.get(name);
            let again = fresh.is_none().then(|| asker.again(&secret)).flatten();
            let given = fresh.map(|(_, fresh)| &fresh.secret).or(again.as_ref());
            match commit::accept(&secret, trial, given) {
                Ok(version) => {
                    let done = format!("version {version} is in place{}", self.told(plan, name));
                    self.outcomes.done(name, done);
                }
                Err(failure) => self.outcomes.fail(name, failure),
            }
        }
        self.tell_of_stale(plan);
    }
}
