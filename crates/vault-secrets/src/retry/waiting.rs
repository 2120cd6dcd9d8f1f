//! Decides which services wait for a secret, from the properties of their units alone.
//!
//! A service whose start failed with the fetch (`dependency`) looks like one that somebody stopped.
//! The journal distinguishes them: it holds the refused start. Without a journal, a service waits
//! if it came to rest just before the fetch began, because a restart stops the service first and
//! then fetches.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    followers::was_refused,
    systemd::{Refused, Unit, Units},
};

/// The longest time from the stop of a restarted service to the start of its fetch.
const SLACK: Duration = Duration::from_secs(1);

/// The services that wait for a secret.
#[derive(Debug, Default)]
pub(crate) struct WaitingServices {
    /// The services, with their last starts at the time of the query.
    services: BTreeMap<String, Duration>,
    /// The start of this program's last attempt.
    own_attempt: Option<Duration>,
    /// The start of the last attempt that was seen to be killed.
    killed_attempt: Option<Duration>,
}

impl WaitingServices {
    /// Returns the services that wait.
    pub(crate) fn services(&self) -> BTreeSet<String> {
        self.services.keys().cloned().collect()
    }

    /// Updates the services that wait; `fetch` is the unit that fetches the secret. Somebody has
    /// stopped a service that was started since the last update and is at rest.
    pub(crate) fn update(&mut self, fetch: &Unit, services: &Units, refused: &Refused) {
        let is_by_another = self.is_by_another(fetch);
        for (name, unit) in services {
            let for_this_fetch =
                unit.stopped <= fetch.started && unit.stopped + SLACK >= fetch.started;
            let waits = unit.started.is_zero()
                || unit.is_stranded()
                || was_refused(name, unit, refused)
                || refused.is_empty() && is_by_another && for_this_fetch;
            if unit.is_at_rest() && waits {
                self.services.insert(name.clone(), unit.started);
            }
        }
        self.services.retain(|name, started| {
            let unit = services.get(name);
            unit.is_none_or(|unit| unit.is_loaded && unit.started <= *started)
        });
    }

    /// Records that this program started the fetch.
    pub(crate) fn record_attempt(&mut self, fetch: &Unit) {
        self.own_attempt = Some(fetch.started);
    }

    /// Returns whether the last fetch was killed, such as for a timeout, and this was not seen
    /// before.
    pub(crate) fn is_newly_killed(&mut self, fetch: &Unit) -> bool {
        let is_new = fetch.was_killed() && self.killed_attempt != Some(fetch.started);
        if is_new {
            self.killed_attempt = Some(fetch.started);
        }
        is_new
    }

    /// Returns whether another program started the last fetch.
    pub(crate) fn is_by_another(&self, fetch: &Unit) -> bool {
        self.own_attempt != Some(fetch.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest(started: u64, stopped: u64) -> Unit {
        Unit {
            is_loaded: true,
            active: "inactive".to_owned(),
            started: Duration::from_secs(started),
            stopped: Duration::from_secs(stopped),
            ..Unit::default()
        }
    }

    fn fetch(started: u64) -> Unit {
        at_rest(started, started)
    }

    fn units<const N: usize>(units: [(&str, Unit); N]) -> Units {
        units.map(|(name, unit)| (name.to_owned(), unit)).into()
    }

    fn refused<const N: usize>(units: [(&str, u64); N]) -> Refused {
        units
            .map(|(name, at)| (name.to_owned(), Duration::from_secs(at)))
            .into()
    }

    fn names(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    fn services() -> Units {
        units([
            ("boot", at_rest(0, 0)),
            ("restarted", at_rest(10, 99)),
            ("stopped-long-ago", at_rest(10, 50)),
            ("stopped-later", at_rest(10, 102)),
            (
                "runs",
                Unit {
                    active: "active".to_owned(),
                    ..at_rest(100, 99)
                },
            ),
            ("gone", Unit::default()),
            (
                "crashed",
                Unit {
                    active: "activating".to_owned(),
                    sub: "auto-restart-queued".to_owned(),
                    ..at_rest(10, 50)
                },
            ),
        ])
    }

    #[test]
    fn services_that_never_ran_or_were_refused_wait() {
        let mut waiting = WaitingServices::default();
        let refused = refused([
            ("restarted", 101),
            ("stopped-long-ago", 9), // it ran since
            ("runs", 80),
            ("gone", 101),
        ]);
        waiting.update(&fetch(100), &services(), &refused);
        assert_eq!(waiting.services(), names("boot crashed restarted"));
    }

    #[test]
    fn without_a_journal_a_service_that_stopped_just_before_the_fetch_waits() {
        let mut waiting = WaitingServices::default();
        waiting.update(&fetch(100), &services(), &Refused::new());
        assert_eq!(waiting.services(), names("boot crashed restarted"));
    }

    #[test]
    fn a_service_that_was_started_and_stopped_since_waits_no_longer() {
        let mut waiting = WaitingServices::default();
        let refused = refused([("app", 101), ("report", 101)]);
        let update = |waiting: &mut WaitingServices, app: Unit, report: Unit| {
            let services = units([("app", app), ("report", report)]);
            waiting.update(&fetch(100), &services, &refused);
        };
        update(&mut waiting, at_rest(10, 99), at_rest(0, 0));
        assert_eq!(waiting.services(), names("app report"));
        update(&mut waiting, at_rest(110, 120), at_rest(0, 0));
        assert_eq!(waiting.services(), names("report"));
        update(&mut waiting, at_rest(110, 120), at_rest(130, 131));
        assert_eq!(waiting.services(), names(""));
    }

    #[test]
    fn each_killed_fetch_is_seen_once() {
        let ended = |result: &str, started| Unit {
            active: "failed".to_owned(),
            result: result.to_owned(),
            ..fetch(started)
        };
        let mut waiting = WaitingServices::default();
        assert!(!waiting.is_newly_killed(&ended("exit-code", 90))); // it reported the failure itself
        for (started, result) in [(100, "timeout"), (101, "signal"), (102, "oom-kill")] {
            assert!(waiting.is_newly_killed(&ended(result, started)));
            assert!(!waiting.is_newly_killed(&ended(result, started)));
        }
        let goes_on = Unit {
            active: "activating".to_owned(),
            ..ended("timeout", 103)
        };
        assert!(!waiting.is_newly_killed(&goes_on));
        assert!(!waiting.is_newly_killed(&fetch(104)));
    }

    #[test]
    fn a_stop_before_an_own_attempt_is_no_restart() {
        let mut waiting = WaitingServices::default();
        waiting.record_attempt(&fetch(100));
        let update = |waiting: &mut WaitingServices, started, name, unit| {
            waiting.update(&fetch(started), &units([(name, unit)]), &Refused::new());
        };
        update(&mut waiting, 100, "stopped", at_rest(10, 99));
        assert_eq!(waiting.services(), names(""));
        // a later restart by somebody else is one
        update(&mut waiting, 103, "restarted", at_rest(10, 102));
        assert_eq!(waiting.services(), names("restarted"));
    }
}
