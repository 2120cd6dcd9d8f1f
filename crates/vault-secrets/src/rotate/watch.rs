//! Has services take new files, and watches whether they come up.

use std::{
    collections::{BTreeMap, BTreeSet},
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
            Action::Restart => Some(systemd::start("restart", &[service])?),
            Action::Start => {
                // a service that failed often within a short time is not started otherwise
                let _ = systemd::run("reset-failed", &[service])?;
                Some(systemd::start("restart", &[service])?)
            }
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
            let lost = |cause| Failure::failed(format!("could not wait for `systemctl`: {cause}"));
            match job.try_wait().map_err(lost)? {
                None => watched.job = Some(job),
                Some(status) if status.success() => {}
                Some(_) => {
                    let said = job.wait_with_output().map_err(lost)?.stderr;
                    let said = systemd::first_sentence(&String::from_utf8_lossy(&said));
                    failed.insert(service.clone(), one_line(&said));
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
