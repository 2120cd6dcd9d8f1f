//! Has services take new files, and watches whether they come up.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use cli::Failure;

use super::{
    judge::{Verdict, judge},
    needs::Action,
};
use crate::{
    systemd::{self, Unit, Units},
    words::one_line,
};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// How often systemd may be too busy to answer, such as while it reloads its own configuration.
const LOOKS_IN_VAIN: u32 = 20;

/// Services that are to come up, all at the same time.
pub(crate) struct Watch {
    /// How long a service must stay up.
    settle: Duration,
    watched: BTreeMap<String, Watched>,
    looks_in_vain: u32,
}

struct Watched {
    /// systemctl, while it waits for systemd to have done what it was told.
    job: Option<Child>,
    /// Whether systemd was told once more, for it does not start a unit often within a short time.
    was_told_again: bool,
    is_reload: bool,
    good_since: Option<Instant>,
    last: Unit,
}

impl Watch {
    pub(crate) fn new(settle: Duration) -> Self {
        Self {
            settle,
            watched: BTreeMap::new(),
            looks_in_vain: 0,
        }
    }

    /// Does `action` to a service, and watches it from now on.
    pub(crate) fn act(
        &mut self,
        service: &str,
        action: Action,
        unit: &Unit,
    ) -> Result<(), Failure> {
        let job = match action {
            Action::Watch => None,
            Action::Reload => Some(systemd::start("reload", &[service])?),
            Action::Restart | Action::Start => Some(systemd::start("restart", &[service])?),
        };
        let last = match action {
            Action::Watch | Action::Reload => unit.clone(),
            // what the count of its restarts was before says nothing any more
            Action::Restart | Action::Start => Unit {
                restarts: if unit.is_failing() {
                    u64::MAX
                } else {
                    unit.restarts
                },
                ..unit.clone()
            },
        };
        let watched = Watched {
            job,
            was_told_again: false,
            is_reload: action == Action::Reload,
            good_since: None,
            last,
        };
        self.watched.insert(service.to_owned(), watched);
        Ok(())
    }

    /// Waits until services turn out not to have come up, and gives these, with the reason; nothing when
    /// all have. The others stay watched.
    pub(crate) fn next_bad(&mut self) -> Result<BTreeMap<String, String>, Failure> {
        loop {
            let mut bad = self.failed_jobs()?;
            let mut shown = self.look(&bad)?;
            for (service, watched) in &mut self.watched {
                let Some(unit) = shown.remove(service) else {
                    continue;
                };
                match judge(&watched.last, &unit) {
                    Verdict::Good => {
                        watched.good_since.get_or_insert_with(Instant::now);
                    }
                    Verdict::Undecided => watched.good_since = None,
                    Verdict::Bad(reason) => {
                        bad.insert(service.clone(), reason);
                    }
                }
                watched.last = unit;
            }
            let settle = self.settle;
            self.watched.retain(|service, watched| {
                let has_settled = watched
                    .good_since
                    .is_some_and(|since| since.elapsed() >= settle);
                !bad.contains_key(service) && !has_settled
            });
            if !bad.is_empty() || self.watched.is_empty() {
                return Ok(bad);
            }
            thread::sleep(PAUSE);
        }
    }

    /// The services that systemd could not restart or reload, and what it said.
    fn failed_jobs(&mut self) -> Result<BTreeMap<String, String>, Failure> {
        let mut failed = BTreeMap::new();
        for (service, watched) in &mut self.watched {
            let Some(mut job) = watched.job.take() else {
                continue;
            };
            match job.try_wait().map_err(|cause| lost(&cause))? {
                None => watched.job = Some(job),
                Some(status) if status.success() => {}
                Some(_) => {
                    let said = job.wait_with_output().map_err(|cause| lost(&cause))?.stderr;
                    let said = systemd::first_sentence(&String::from_utf8_lossy(&said));
                    if !watched.is_told_again(service)? {
                        failed.insert(service.clone(), one_line(&said));
                    }
                }
            }
        }
        Ok(failed)
    }

    /// What systemd tells of those that have been told what to do.
    fn look(&mut self, bad: &BTreeMap<String, String>) -> Result<Units, Failure> {
        let ready = self
            .watched
            .iter()
            .filter(|(service, watched)| watched.job.is_none() && !bad.contains_key(*service));
        let ready: BTreeSet<_> = ready.map(|(service, _)| service.clone()).collect();
        match systemd::show(&ready) {
            Ok(units) => {
                self.looks_in_vain = 0;
                Ok(units)
            }
            Err(_) if self.looks_in_vain < LOOKS_IN_VAIN => {
                self.looks_in_vain += 1;
                Ok(Units::new())
            }
            Err(failure) => Err(failure),
        }
    }
}

impl Watched {
    /// A service that was started often of late, for whatever reason, is not started until its count is
    /// set back. That is not done before it is needed: it makes a failed unit look almost like one
    /// that was stopped ([`Unit::was_set_back`]), should this run be killed. Only that it never started tells;
    /// its result may be an older one.
    fn is_told_again(&mut self, service: &str) -> Result<bool, Failure> {
        let shown = systemd::show(&[service.to_owned()].into())?;
        let never_started =
            |unit: &Unit| unit.active == "failed" && unit.started <= self.last.started;
        if self.was_told_again || self.is_reload || !shown.values().any(never_started) {
            return Ok(false);
        }
        self.was_told_again = true;
        let _ = systemd::run("reset-failed", &[service])?;
        self.job = Some(systemd::start("restart", &[service])?);
        Ok(true)
    }
}

fn lost(cause: &io::Error) -> Failure {
    Failure::failed(format!("could not wait for `systemctl`: {cause}"))
}
