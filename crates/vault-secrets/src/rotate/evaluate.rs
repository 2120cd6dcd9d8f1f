//! Evaluates whether a service has come up, from systemd's properties of its unit alone.
//!
//! | state | since the attempt | evaluation |
//! | --- | --- | --- |
//! | masked, removed | | unknown |
//! | up | started, or reloaded | up |
//! | up | not restarted, the job gone | unknown |
//! | up | reload failed | failed |
//! | up | reload cancelled | unknown |
//! | up | restarted by systemd, where `Restart=` restarts only after failures | failed |
//! | up | restarted by systemd with `Restart=always` or `on-success`, beyond the limit | unknown |
//! | reloading | longer than the limit | failed |
//! | about to restart | ended well | completed; unknown where a unit that it needs does not start |
//! | about to restart | failed | failed |
//! | starting | longer than the limit | failed; unknown for a oneshot that started by itself |
//! | stopping | longer than the limit | unknown |
//! | failed | by itself, killed by its watchdog, out of memory, took too long | failed |
//! | inactive | ended well: a oneshot, or a unit that a socket or timer starts | completed |
//! | inactive | ended by itself otherwise | failed |
//! | failed, inactive | never started, or stopped by a person or with another unit | unknown |
//! | failed, inactive | not started: the job cancelled, a dependency failed | unknown |
//! | failed, inactive | not started: refused, or its conditions are not met | failed |

use std::time::Duration;

use crate::{
    systemd::{JobEnd, Unit},
    text,
};

/// The limit for a start where neither `--start-timeout` nor systemd sets one.
const START_LIMIT: Duration = Duration::from_secs(90);

/// The time beyond systemd's own limit after which a start counts as failed.
const MARGIN: Duration = Duration::from_secs(10);

/// The state of a service after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evaluation {
    /// It is up. It has come up once it has stayed up for the settle time.
    Up,
    /// It has done its work.
    Completed,
    /// It is starting or stopping.
    Pending,
    /// It has not come up, with the reason.
    Failed(String),
    /// Its state does not depend on the files, with the reason.
    Unknown(String),
}

/// The request by which a service takes the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// None: it took them by a start of its own.
    None,
    Reload,
    Restart,
}

/// One attempt to make a service take files, and its result so far.
#[derive(Clone, Debug)]
pub(super) struct ServiceAttempt {
    pub(super) request: Request,
    /// The time of the request or else of the first query, counted from the boot.
    pub(super) at: Duration,
    /// The result of systemd's job; `None` while it runs.
    pub(super) job: Option<JobEnd>,
    /// The number of automatic restarts by systemd before the attempt.
    pub(super) restarts: u64,
    /// The limit for a start; `None` for systemd's own.
    pub(super) start_timeout: Option<Duration>,
}

impl ServiceAttempt {
    /// Returns whether a restart was requested and the service has not started since.
    pub(super) fn is_open(&self, unit: &Unit) -> bool {
        self.request == Request::Restart && unit.last_start() <= self.at
    }

    /// Evaluates the unit at the time `now`, counted from the boot.
    pub(super) fn evaluate(&self, unit: &Unit, now: Duration) -> Evaluation {
        if !unit.is_loaded {
            return unknown("it is masked, or no longer there");
        }
        if let (Request::Reload, Some(JobEnd::Failed(said))) = (self.request, &self.job) {
            return Evaluation::Failed(said.clone());
        }
        match unit.active.as_str() {
            _ if unit.is_restarting() => self.evaluate_restarting(unit, now),
            "failed" | "inactive" => self.evaluate_at_rest(unit, now),
            "activating" => self.evaluate_starting(unit, now),
            "deactivating" => self.evaluate_stopping(unit, now),
            _ if unit.is_active() => self.evaluate_active(unit, now),
            _ => Evaluation::Pending,
        }
    }

    fn evaluate_active(&self, unit: &Unit, now: Duration) -> Evaluation {
        if unit.active != "active" {
            return self.evaluate_reloading(unit, now);
        }
        let was_requested = self.request != Request::None;
        if self.is_open(unit) || was_requested && (self.job.is_none() || unit.has_job) {
            return self.evaluate_open(unit, now);
        }
        if self.request == Request::Reload && self.job != Some(JobEnd::Done) {
            return match self.job {
                // the job continued after its client lost the connection
                Some(JobEnd::Disconnected) if unit.reload_result == "success" => Evaluation::Up,
                Some(JobEnd::Disconnected) => {
                    Evaluation::Failed(format!("its reload failed ({})", unit.reload_result))
                }
                _ => unknown("its reload was cancelled"),
            };
        }
        // with `always`, a counted restart may have followed a good end
        let restarts_only_after_failures =
            !matches!(unit.restart.as_str(), "always" | "on-success");
        if unit.restarts > self.restarts && restarts_only_after_failures {
            return failed("systemd had to restart it");
        }
        let passed = now.saturating_sub(self.at);
        if unit.restarts > self.restarts && passed > self.limit(unit) + START_LIMIT {
            return unknown("it starts again and again");
        }
        if unit.remains && unit.sub == "exited" {
            return Evaluation::Completed;
        }
        Evaluation::Up
    }

    fn evaluate_reloading(&self, unit: &Unit, now: Duration) -> Evaluation {
        let passed = now.saturating_sub(unit.changed.max(self.at));
        let limit = self.limit(unit) + MARGIN;
        if passed > limit {
            return Evaluation::Failed(format!("it has been reloading for {}", text::age(passed)));
        }
        Evaluation::Pending
    }

    /// Evaluates a service that failed or ended, and that systemd is about to start again.
    fn evaluate_restarting(&self, unit: &Unit, now: Duration) -> Evaluation {
        if self.is_open(unit) {
            return self.evaluate_open(unit, now);
        }
        if unit.result == "success" {
            return if unit.is_stranded() {
                unknown("what it needs does not start")
            } else {
                Evaluation::Completed // with `Restart=always`, ending well is normal operation
            };
        }
        Evaluation::Failed(format!("it failed ({})", unit.result))
    }

    fn evaluate_starting(&self, unit: &Unit, now: Duration) -> Evaluation {
        let own_limit = self.start_timeout.is_none();
        let since = match unit.start_timeout {
            Some(_) if own_limit => unit.changed, // systemd limits each step
            _ => unit.started,
        };
        let margin = if own_limit && unit.start_timeout.is_some() {
            MARGIN
        } else {
            Duration::ZERO
        };
        let begun = match self.request {
            Request::Restart => since.max(self.at),
            Request::None | Request::Reload => since,
        };
        let passed = now.saturating_sub(begun);
        if passed <= self.limit(unit) + margin {
            return Evaluation::Pending;
        }
        let message = format!("it has been starting for {}", text::age(passed));
        if self.request == Request::None && unit.kind == "oneshot" && !unit.remains {
            return Evaluation::Unknown(message); // a long job, such as a backup
        }
        Evaluation::Failed(message)
    }

    fn evaluate_stopping(&self, unit: &Unit, now: Duration) -> Evaluation {
        let limit = unit.stop_timeout.unwrap_or_else(|| self.limit(unit));
        let passed = now.saturating_sub(unit.changed.max(self.at));
        if passed > limit + START_LIMIT {
            return Evaluation::Unknown(format!("it has been stopping for {}", text::age(passed)));
        }
        Evaluation::Pending
    }

    fn evaluate_at_rest(&self, unit: &Unit, now: Duration) -> Evaluation {
        if unit.has_job || self.is_open(unit) {
            return self.evaluate_open(unit, now);
        }
        if unit.started.is_zero() {
            return unknown("it does not run");
        }
        if unit.was_set_back() {
            return failed("it failed");
        }
        if unit.was_stopped() {
            return unknown("it was stopped");
        }
        if unit.active == "failed" {
            return Evaluation::Failed(format!("it failed ({})", unit.result));
        }
        let ended_well = unit.result == "success";
        if ended_well && (unit.kind == "oneshot" || !unit.triggered_by.is_empty()) {
            return Evaluation::Completed;
        }
        failed("it ended by itself")
    }

    /// Evaluates a service that has not started or reloaded yet, as requested.
    fn evaluate_open(&self, unit: &Unit, now: Duration) -> Evaluation {
        let passed = now.saturating_sub(self.at);
        let Some(job) = self.job.as_ref().filter(|_| !unit.has_job) else {
            return if passed <= self.limit(unit) + START_LIMIT {
                Evaluation::Pending
            } else {
                unknown("it waits for other units")
            };
        };
        match job {
            JobEnd::Dependency => unknown(DEPENDENCY),
            JobEnd::Cancelled => unknown("its start was cancelled"),
            JobEnd::Disconnected => unknown("systemd did not start it"),
            JobEnd::Failed(said) => Evaluation::Failed(said.clone()),
            JobEnd::Done if unit.skipped > self.at => failed("its conditions are not met"),
            JobEnd::Done => unknown("it was stopped"),
        }
    }

    fn limit(&self, unit: &Unit) -> Duration {
        self.start_timeout
            .or(unit.start_timeout)
            .unwrap_or(START_LIMIT)
    }
}

/// The reason for a service whose required unit did not start.
pub(super) const DEPENDENCY: &str = "a unit that it needs did not start";

fn failed(why: &str) -> Evaluation {
    Evaluation::Failed(why.to_owned())
}

fn unknown(why: &str) -> Evaluation {
    Evaluation::Unknown(why.to_owned())
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
