//! Who is to blame: pure decisions on what is taken back, and for whom.

use std::collections::{BTreeMap, BTreeSet};

type Names = BTreeSet<String>;

/// The secrets on trial, and how the services do with them.
#[derive(Debug, Default)]
pub(crate) struct Case {
    /// The secrets on trial that each service uses.
    uses: BTreeMap<String, Names>,
    /// Those that were taken back, and the services on whose account.
    taken_back: BTreeMap<String, Names>,
    /// The services that do not come up, whatever is taken back.
    hopeless: Names,
    /// The services that had failed before: they take nothing back.
    excused: Names,
}

impl Case {
    /// `uses` tells the secrets on trial that each service uses which takes part.
    pub(crate) fn new(uses: BTreeMap<String, Names>) -> Self {
        Self {
            uses,
            ..Self::default()
        }
    }

    /// A secret that a run before this one took back.
    pub(crate) fn was_taken_back(&mut self, secret: &str, services: &Names) {
        self.taken_back.insert(secret.to_owned(), services.clone());
    }

    /// A service that had failed before.
    pub(crate) fn excuse(&mut self, service: &str) {
        self.excused.insert(service.to_owned());
    }

    pub(crate) fn is_excused(&self, service: &str) -> bool {
        self.excused.contains(service)
    }

    /// The services that do not come up, whatever is taken back.
    pub(crate) fn hopeless(&self) -> &Names {
        &self.hopeless
    }

    /// `bad` services have not come up: which secrets are taken back now. A service that has nothing left
    /// to take back has trouble of its own.
    pub(crate) fn take_back(&mut self, bad: &Names) -> Names {
        let mut now = Names::new();
        for service in bad {
            let used = self.uses.get(service).filter(|_| !self.is_excused(service));
            let used = used.cloned().unwrap_or_default();
            let new: Vec<_> = used
                .into_iter()
                .filter(|secret| now.contains(secret) || !self.taken_back.contains_key(secret))
                .collect();
            if new.is_empty() {
                self.hopeless.insert(service.clone());
            }
            for secret in new {
                let blamed = self.taken_back.entry(secret.clone()).or_default();
                blamed.insert(service.clone());
                now.insert(secret);
            }
        }
        now
    }

    /// The services that took any of these secrets.
    pub(crate) fn users(&self, secrets: &Names) -> Names {
        let users = self.uses.iter();
        users
            .filter(|(_, used)| !used.is_disjoint(secrets))
            .map(|(service, _)| service.clone())
            .collect()
    }

    /// The services were told to take other files: whether they come up is open again.
    pub(crate) fn acted_on(&mut self, services: &Names) {
        self.hopeless.retain(|service| !services.contains(service));
    }

    /// Which secrets were taken back in vain, for services alone that do not come up without them either.
    pub(crate) fn put_again(&mut self) -> Names {
        let hopeless = &self.hopeless;
        let in_vain = self.taken_back.iter();
        let in_vain: Names = in_vain
            .filter(|(_, blamed)| blamed.is_subset(hopeless))
            .map(|(secret, _)| secret.clone())
            .collect();
        self.taken_back
            .retain(|secret, _| !in_vain.contains(secret));
        in_vain
    }

    /// The services on whose account a secret stays taken back; none where it is in place.
    pub(crate) fn blamed(&self, secret: &str) -> Option<&Names> {
        self.taken_back.get(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    fn case(uses: &[(&str, &str)]) -> Case {
        let uses = uses.iter();
        Case::new(
            uses.map(|(service, secrets)| ((*service).to_owned(), names(secrets)))
                .collect(),
        )
    }

    #[test]
    fn a_bad_service_takes_back_what_it_uses_and_nothing_else() {
        let mut case = case(&[("app", "db tls"), ("report", "db"), ("worker", "token")]);
        assert_eq!(case.take_back(&names("app")), names("db tls"));
        assert_eq!(case.users(&names("db tls")), names("app report"));
        assert_eq!(case.blamed("db"), Some(&names("app")));
        assert_eq!(case.blamed("token"), None);
        assert_eq!(case.put_again(), Names::new());
    }

    #[test]
    fn two_bad_services_that_share_a_secret_take_it_back_once() {
        let mut case = case(&[("app", "db"), ("report", "db")]);
        assert_eq!(case.take_back(&names("app report")), names("db"));
        assert_eq!(case.blamed("db"), Some(&names("app report")));
    }

    #[test]
    fn a_service_that_does_not_come_up_without_it_either_is_its_own_trouble() {
        let mut case = case(&[("app", "db"), ("report", "db")]);
        assert_eq!(case.take_back(&names("app")), names("db"));
        case.acted_on(&names("app report"));
        assert_eq!(case.take_back(&names("app")), Names::new());
        assert_eq!(case.put_again(), names("db"));
        assert_eq!(case.blamed("db"), None);
    }

    #[test]
    fn what_one_service_rejects_stays_so_whatever_another_one_does() {
        let mut case = case(&[("app", "db"), ("report", "db")]);
        case.take_back(&names("app report"));
        case.acted_on(&names("app report"));
        assert_eq!(case.take_back(&names("report")), Names::new());
        assert_eq!(case.put_again(), Names::new());
        assert_eq!(case.blamed("db"), Some(&names("app report")));
    }

    #[test]
    fn a_service_that_cannot_live_with_half_of_it_takes_back_the_rest() {
        let mut case = case(&[("app", "user"), ("report", "user password")]);
        assert_eq!(case.take_back(&names("app")), names("user"));
        case.acted_on(&names("app report"));
        assert_eq!(case.take_back(&names("report")), names("password"));
        case.acted_on(&names("report"));
        assert_eq!(case.put_again(), Names::new());
    }

    #[test]
    fn what_a_killed_run_took_back_is_not_taken_back_again() {
        let mut case = case(&[("app", "db")]);
        case.was_taken_back("db", &names("app"));
        assert_eq!(case.take_back(&names("app")), Names::new());
        assert_eq!(case.put_again(), names("db"));
    }

    #[test]
    fn a_service_that_had_failed_before_takes_nothing_back() {
        let mut case = case(&[("app", "db"), ("broken", "db")]);
        case.excuse("broken");
        assert_eq!(case.take_back(&names("broken")), Names::new());
        assert_eq!(case.blamed("db"), None);
    }
}
