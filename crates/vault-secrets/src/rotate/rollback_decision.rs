//! Decides which secrets are rolled back, and because of which services.

use std::collections::BTreeMap;

use crate::text::Names;

/// The unproven secrets, and the services that come up with them or fail.
#[derive(Debug, Default)]
pub(super) struct RollbackDecision {
    /// The secrets that each service may roll back.
    uses: BTreeMap<String, Names>,
    /// Secrets that were rolled back, with the services that failed with them.
    rolled_back: BTreeMap<String, Names>,
    /// Services that fail regardless of any roll-back.
    failed_regardless: Names,
    /// Services that had failed before. They cause no roll-back.
    already_failed: Names,
}

impl RollbackDecision {
    /// Creates the decision. `uses` holds, for each service that takes part, the unproven secrets
    /// that it uses.
    pub(super) fn new(uses: BTreeMap<String, Names>) -> Self {
        Self {
            uses,
            ..Self::default()
        }
    }

    /// Adds a secret that an earlier run rolled back because of `services`.
    pub(super) fn add_rolled_back(&mut self, secret: &str, services: &Names) {
        self.rolled_back.insert(secret.to_owned(), services.clone());
    }

    /// Marks a service that had failed before.
    pub(super) fn add_already_failed(&mut self, service: &str) {
        self.already_failed.insert(service.to_owned());
    }

    pub(super) fn had_already_failed(&self, service: &str) -> bool {
        self.already_failed.contains(service)
    }

    /// Returns the services that fail regardless of any roll-back.
    pub(super) fn failed_regardless(&self) -> &Names {
        &self.failed_regardless
    }

    /// Returns the secrets to roll back now because `failed` services have not come up. A service
    /// with no secret left to roll back fails regardless.
    pub(super) fn roll_back(&mut self, failed: &Names) -> Names {
        let mut now = Names::new();
        for service in failed {
            let used = self
                .uses
                .get(service)
                .filter(|_| !self.had_already_failed(service));
            let used = used.cloned().unwrap_or_default();
            let new: Vec<_> = used
                .into_iter()
                .filter(|secret| now.contains(secret) || !self.rolled_back.contains_key(secret))
                .collect();
            if new.is_empty() {
                self.failed_regardless.insert(service.clone());
            }
            for secret in new {
                let blamed = self.rolled_back.entry(secret.clone()).or_default();
                blamed.insert(service.clone());
                now.insert(secret);
            }
        }
        now
    }

    /// Marks a secret that cannot be rolled back.
    pub(super) fn cannot_roll_back(&mut self, secret: &str) {
        self.rolled_back.remove(secret);
        for used in self.uses.values_mut() {
            used.remove(secret);
        }
    }

    /// Returns the services that use any of these secrets.
    pub(super) fn users(&self, secrets: &Names) -> Names {
        let users = self.uses.iter();
        users
            .filter(|(_, used)| !used.is_disjoint(secrets))
            .map(|(service, _)| service.clone())
            .collect()
    }

    /// Notes that services were restarted or reloaded, so they may come up after all.
    pub(super) fn acted_on(&mut self, services: &Names) {
        self.failed_regardless
            .retain(|service| !services.contains(service));
    }

    /// Returns the secrets whose roll-back did not help, because all their blamed services fail
    /// regardless. They count as deployed again.
    pub(super) fn reapply(&mut self) -> Names {
        let rolled_back = self.rolled_back.iter();
        let in_vain: Names = rolled_back
            .filter(|(_, blamed)| blamed.is_subset(&self.failed_regardless))
            .map(|(secret, _)| secret.clone())
            .collect();
        self.rolled_back
            .retain(|secret, _| !in_vain.contains(secret));
        in_vain
    }

    /// Returns the services because of which a secret stays rolled back.
    pub(super) fn blamed(&self, secret: &str) -> Option<&Names> {
        self.rolled_back.get(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    fn decision(uses: &[(&str, &str)]) -> RollbackDecision {
        let uses = uses.iter();
        RollbackDecision::new(
            uses.map(|(service, secrets)| ((*service).to_owned(), names(secrets)))
                .collect(),
        )
    }

    #[test]
    fn a_failed_service_rolls_back_only_the_secrets_that_it_uses() {
        let mut decision = decision(&[("app", "db tls"), ("report", "db"), ("worker", "token")]);
        assert_eq!(decision.roll_back(&names("app")), names("db tls"));
        assert_eq!(decision.users(&names("db tls")), names("app report"));
        assert_eq!(decision.blamed("db"), Some(&names("app")));
        assert_eq!(decision.blamed("token"), None);
        assert_eq!(decision.reapply(), Names::new());
    }

    #[test]
    fn two_failed_services_that_share_a_secret_roll_it_back_once() {
        let mut decision = decision(&[("app", "db"), ("report", "db")]);
        assert_eq!(decision.roll_back(&names("app report")), names("db"));
        assert_eq!(decision.blamed("db"), Some(&names("app report")));
    }

    #[test]
    fn the_secret_of_a_service_that_fails_with_the_old_version_too_is_reapplied() {
        let mut decision = decision(&[("app", "db"), ("report", "db")]);
        assert_eq!(decision.roll_back(&names("app")), names("db"));
        decision.acted_on(&names("app report"));
        assert_eq!(decision.roll_back(&names("app")), Names::new());
        assert_eq!(decision.reapply(), names("db"));
        assert_eq!(decision.blamed("db"), None);
    }

    #[test]
    fn a_secret_stays_rolled_back_while_one_of_its_services_comes_up_without_it() {
        let mut decision = decision(&[("app", "db"), ("report", "db")]);
        decision.roll_back(&names("app report"));
        decision.acted_on(&names("app report"));
        assert_eq!(decision.roll_back(&names("report")), Names::new());
        assert_eq!(decision.reapply(), Names::new());
        assert_eq!(decision.blamed("db"), Some(&names("app report")));
    }

    #[test]
    fn a_service_that_fails_with_half_of_the_old_secrets_rolls_back_the_rest() {
        let mut decision = decision(&[("app", "user"), ("report", "user password")]);
        assert_eq!(decision.roll_back(&names("app")), names("user"));
        decision.acted_on(&names("app report"));
        assert_eq!(decision.roll_back(&names("report")), names("password"));
        decision.acted_on(&names("report"));
        assert_eq!(decision.reapply(), Names::new());
    }

    #[test]
    fn a_secret_that_a_killed_run_rolled_back_is_not_rolled_back_again() {
        let mut decision = decision(&[("app", "db")]);
        decision.add_rolled_back("db", &names("app"));
        assert_eq!(decision.roll_back(&names("app")), Names::new());
        assert_eq!(decision.reapply(), names("db"));
    }

    #[test]
    fn a_service_that_had_failed_before_rolls_nothing_back() {
        let mut decision = decision(&[("app", "db"), ("broken", "db")]);
        decision.add_already_failed("broken");
        assert_eq!(decision.roll_back(&names("broken")), Names::new());
        assert_eq!(decision.blamed("db"), None);
    }
}
