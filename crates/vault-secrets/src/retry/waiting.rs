//! Which services wait for a secret: pure decisions on what systemd tells.
//!
//! A service whose start failed with the fetch (`dependency`) looks like one that somebody stopped. What
//! tells them apart: it never ran, or it came to rest just before the fetch began, for a restart stops the
//! service, then fetches.

use std::{collections::BTreeSet, time::Duration};

use crate::systemd::{Unit, Units};

/// How long before a fetch a service may have come to rest that was stopped for its restart.
const SLACK: Duration = Duration::from_secs(5);

/// The services that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) services: BTreeSet<String>,
    /// When this program's last attempt began.
    own: Option<Duration>,
    /// When the attempt began that was last seen to have been killed.
    killed: Option<Duration>,
}

impl Waiting {
    /// Looks who waits now; `fetch` is the unit that fetches the secret.
    pub(crate) fn look(&mut self, fetch: &Unit, services: &Units) {
        let is_anothers = self.is_anothers(fetch);
        for (name, unit) in services.iter().filter(|(_, unit)| unit.is_at_rest()) {
            let never_ran = unit.started.is_zero();
            let for_this = unit.stopped + SLACK >= fetch.started;
            if never_ran || unit.is_stranded() || is_anothers && for_this {
                self.services.insert(name.clone());
            }
        }
    }

    /// The fetch was started by this program.
    pub(crate) fn attempted(&mut self, fetch: &Unit) {
        self.own = Some(fetch.started);
    }

    /// Whether the last fetch was killed, as where it took too long, and that was not seen before.
    pub(crate) fn sees_killed(&mut self, fetch: &Unit) -> bool {
        let is_new = fetch.was_killed() && self.killed != Some(fetch.started);
        if is_new {
            self.killed = Some(fetch.started);
        }
        is_new
    }

    /// Whether the last fetch was somebody else's.
    pub(crate) fn is_anothers(&self, fetch: &Unit) -> bool {
        self.own != Some(fetch.started)
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

    #[test]
    fn who_never_ran_waits_and_who_was_stopped_for_its_restart() {
        let mut waiting = Waiting::default();
        let services = units([
            ("boot", at_rest(0, 0)),
            ("restarted", at_rest(10, 99)),
            ("stopped-long-ago", at_rest(10, 50)),
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
        ]);
        waiting.look(&fetch(100), &services);
        let expected = ["boot", "crashed", "restarted"].map(ToOwned::to_owned);
        assert_eq!(waiting.services, expected.into());
    }

    #[test]
    fn each_fetch_that_was_killed_is_seen_once() {
        let ended = |result: &str, started| Unit {
            active: "failed".to_owned(),
            result: result.to_owned(),
            ..fetch(started)
        };
        let mut waiting = Waiting::default();
        assert!(!waiting.sees_killed(&ended("exit-code", 90))); // it said so itself
        for (started, result) in [(100, "timeout"), (101, "signal"), (102, "oom-kill")] {
            assert!(waiting.sees_killed(&ended(result, started)));
            assert!(!waiting.sees_killed(&ended(result, started)));
        }
        let goes_on = Unit {
            active: "activating".to_owned(),
            ..ended("timeout", 103)
        };
        assert!(!waiting.sees_killed(&goes_on));
        assert!(!waiting.sees_killed(&fetch(104)));
    }

    #[test]
    fn a_stop_before_an_attempt_of_its_own_is_no_restart() {
        let mut waiting = Waiting::default();
        waiting.attempted(&fetch(100));
        let services = units([("stopped", at_rest(10, 99))]);
        waiting.look(&fetch(100), &services);
        assert!(waiting.services.is_empty());
        // but somebody's restart since then is one
        waiting.look(&fetch(103), &units([("restarted", at_rest(10, 102))]));
        assert_eq!(waiting.services, ["restarted".to_owned()].into());
    }
}
