//! What services need: pure decisions on what systemd and the directories tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use delivery::{Declarations, OnChange};

use crate::systemd::{Unit, Units};

/// What is done to a service; of two, the greater one is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// It has taken the files already, and is only watched.
    Watch,
    /// It is reloaded.
    Reload,
    /// It is restarted.
    Restart,
    /// It had failed, and may come up with what is new; nothing is taken back where it does not.
    Start,
}

/// A service that uses a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use<'a> {
    pub(crate) service: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) on_change: OnChange,
}

/// Who uses what.
pub(crate) fn uses(declarations: &Declarations) -> Vec<Use<'_>> {
    let secrets = declarations.secrets.iter();
    secrets
        .flat_map(|(name, secret)| {
            secret.services.iter().map(|service| Use {
                service,
                secret: name,
                on_change: secret.on_change,
            })
        })
        .collect()
}

/// What is known before anything is done.
pub(crate) struct Known<'a> {
    pub(crate) units: &'a Units,
    /// When each secret's files changed last, counted from the boot.
    pub(crate) changed: BTreeMap<&'a str, Duration>,
    /// The secrets whose files this run changes.
    pub(crate) fresh: BTreeSet<&'a str>,
    /// When services last took files without a start of their own.
    pub(crate) taken: &'a BTreeMap<String, Duration>,
    /// The services at rest that an active unit wants.
    pub(crate) wanted: &'a BTreeSet<String>,
}

impl Known<'_> {
    /// What each service of `uses` needs: those that run and started before the files changed, and those
    /// that failed and may come up with what is new. Others fetch when they start.
    pub(crate) fn needs(&self, uses: &[Use<'_>]) -> BTreeMap<String, Action> {
        let mut needs = BTreeMap::new();
        for a_use in uses {
            if let Some(action) = self.need(a_use) {
                let entry = needs.entry(a_use.service.to_owned()).or_insert(action);
                *entry = action.max(*entry);
            }
        }
        needs
    }

    fn need(&self, a_use: &Use<'_>) -> Option<Action> {
        let Use {
            service,
            secret,
            on_change,
        } = *a_use;
        let unit = self.units.get(service)?;
        let action = match on_change {
            OnChange::Nothing => return None,
            OnChange::Reload => Action::Reload,
            OnChange::Restart => Action::Restart,
        };
        let is_fresh = self.fresh.contains(secret);
        if unit.is_down() {
            let may_come_up = is_fresh && self.wanted.contains(service);
            return may_come_up.then_some(Action::Start);
        }
        (unit.is_running() && (is_fresh || self.is_stale(unit, service, secret))).then_some(action)
    }

    /// Whether the files changed after the service read them.
    fn is_stale(&self, unit: &Unit, service: &str, secret: &str) -> bool {
        let taken = self.taken.get(service).copied().unwrap_or_default();
        let changed = self.changed.get(secret).copied().unwrap_or_default();
        changed > unit.started.max(taken)
    }
}

/// The secrets of `fresh` that must wait: a restart of a service fetches all that it needs, and would
/// fail for one of `lost`, which cannot be fetched now. With each, the one it waits for.
pub(crate) fn held_back<'a>(
    fresh: &BTreeSet<&'a str>,
    lost: &BTreeSet<&'a str>,
    restarted: &BTreeSet<&str>,
    uses: &[Use<'a>],
) -> BTreeMap<&'a str, (&'a str, &'a str)> {
    let mut held = BTreeMap::new();
    for one in uses
        .iter()
        .filter(|one| restarted.contains(one.service) && fresh.contains(one.secret))
    {
        let blocks = |other: &&Use<'_>| other.service == one.service && lost.contains(other.secret);
        if let Some(other) = uses.iter().find(blocks) {
            held.insert(one.secret, (one.service, other.secret));
        }
    }
    held
}

#[cfg(test)]
#[path = "needs_tests.rs"]
mod tests;
