//! Restarts and reloads services for new files, and monitors whether they come up.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Child,
    thread,
    time::{Duration, SystemTime},
};

use zts_cli::Failure;
use zts_delivery::uptime;

use super::{
    actions::Action,
    evaluate::{Evaluation, Request, ServiceAttempt},
};
use crate::{
    cli::MonitorLimits,
    systemd::{self, JobEnd, Unit},
    text::Names,
};

/// The pause between two queries of systemd.
const PAUSE: Duration = Duration::from_millis(200);

/// The most repeats of a job that was lost with the connection to systemd.
const MOST_REPEATS: u32 = 3;

/// Services with the reasons why they failed, or why that is unknown.
pub(super) type Reasons = BTreeMap<String, String>;

/// Services that are monitored together until they have come up or failed.
pub(super) struct Monitor {
    limits: MonitorLimits,
    monitored: BTreeMap<String, MonitoredService>,
    came_up: Names,
    unknown: Reasons,
}

struct MonitoredService {
    /// The `systemctl` process, while it waits for systemd's job.
    client: Option<Child>,
    attempt: ServiceAttempt,
    /// Set once a restart was repeated after systemd's start limit refused it.
    has_reset_start_limit: bool,
    /// The number of repeats because the connection to systemd was lost.
    lost_jobs: u32,
    /// The time when `systemctl` ended, counted from the boot.
    job_ended: Duration,
    /// The unit's files at the start of the attempt.
    definition: Definition,
}

/// A unit's files, with their last changes.
type Definition = Vec<(PathBuf, Option<SystemTime>)>;

impl Monitor {
    pub(super) fn new(limits: MonitorLimits) -> Self {
        Self {
            limits,
            monitored: BTreeMap::new(),
            came_up: Names::new(),
            unknown: Reasons::new(),
        }
    }

    /// Returns the services that have come up and were not restarted or reloaded since.
    pub(super) fn came_up(&self) -> &Names {
        &self.came_up
    }

    /// Returns the services whose state does not depend on the files, with the reasons.
    pub(super) fn unknown(&self) -> &Reasons {
        &self.unknown
    }

    /// Performs `action` on a service, and monitors it from now on.
    pub(super) fn request(
        &mut self,
        service: &str,
        action: Action,
        unit: &Unit,
    ) -> Result<(), Failure> {
        let at = uptime();
        let (request, client) = match action {
            Action::Monitor => (Request::None, None),
            Action::Reload => (
                Request::Reload,
                Some(systemd::start_job("reload", &[service])?),
            ),
            Action::Restart | Action::RestartFailed => (
                Request::Restart,
                Some(systemd::start_job("restart", &[service])?),
            ),
        };
        let attempt = ServiceAttempt {
            request,
            at,
            job: client.is_none().then_some(JobEnd::Done),
            // a requested restart resets systemd's count
            restarts: if request == Request::Restart {
                0
            } else {
                unit.restarts
            },
            start_timeout: self.limits.start_timeout,
        };
        let monitored = MonitoredService {
            client,
            attempt,
            has_reset_start_limit: false,
            lost_jobs: 0,
            job_ended: Duration::ZERO,
            definition: definition(unit),
        };
        self.came_up.remove(service);
        self.unknown.remove(service);
        self.monitored.insert(service.to_owned(), monitored);
        Ok(())
    }

    /// Monitors those of `started` whose state was unknown, such as those whose required unit had
    /// not started. Returns whether there are any.
    pub(super) fn monitor_again(&mut self, started: &Names) -> Result<bool, Failure> {
        let again: Names = started
            .iter()
            .filter(|service| self.unknown.contains_key(*service))
            .cloned()
            .collect();
        for (service, unit) in &systemd::show(&again)? {
            self.request(service, Action::Monitor, unit)?;
        }
        Ok(!again.is_empty())
    }

    /// Waits until a service fails to come up, and returns all that have failed so far, with the
    /// reasons. Returns none once no service is monitored any more. The others stay monitored.
    pub(super) fn next_failures(&mut self) -> Result<Reasons, Failure> {
        loop {
            self.record_ended_jobs()?;
            let mut units = systemd::show(&self.monitored.keys().cloned().collect())?;
            let now = uptime();
            let mut failed = Reasons::new();
            let monitored = std::mem::take(&mut self.monitored);
            for (service, mut monitored) in monitored {
                let Some(unit) = units.get_mut(&service) else {
                    continue;
                };
                if unit.failed_while_stopping() {
                    unit.had_stop_job = systemd::had_stop_job(&service, unit.started);
                }
                if monitored.repeat_job(&service, unit)? {
                    self.monitored.insert(service, monitored);
                    continue;
                }
                match monitored.evaluate(unit, now) {
                    Evaluation::Failed(reason) => drop(failed.insert(service, reason)),
                    Evaluation::Unknown(reason) => drop(self.unknown.insert(service, reason)),
                    Evaluation::Completed => drop(self.came_up.insert(service)),
                    Evaluation::Up if monitored.stayed_up(unit, now) >= self.limits.settle => {
                        self.came_up.insert(service);
                    }
                    Evaluation::Up | Evaluation::Pending => {
                        self.monitored.insert(service, monitored);
                    }
                }
            }
            if !failed.is_empty() || self.monitored.is_empty() {
                return Ok(failed);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Records the results of systemd's jobs that have ended.
    fn record_ended_jobs(&mut self) -> Result<(), Failure> {
        for monitored in self.monitored.values_mut() {
            let Some(mut client) = monitored.client.take() else {
                continue;
            };
            let Some(status) = client.try_wait().map_err(|cause| systemd::lost(&cause))? else {
                monitored.client = Some(client);
                continue;
            };
            let output = client
                .wait_with_output()
                .map_err(|cause| systemd::lost(&cause))?;
            monitored.job_ended = uptime();
            monitored.attempt.job = Some(if status.success() {
                JobEnd::Done
            } else {
                JobEnd::classify(&String::from_utf8_lossy(&output.stderr))
            });
        }
        Ok(())
    }
}

impl MonitoredService {
    /// Evaluates the service. If its unit was changed meanwhile, a failure may not be due to the
    /// files.
    fn evaluate(&self, unit: &Unit, now: Duration) -> Evaluation {
        let is_changed = || unit.needs_reload || definition(unit) != self.definition;
        match self.attempt.evaluate(unit, now) {
            Evaluation::Failed(reason) if is_changed() => {
                Evaluation::Unknown(format!("its unit was changed meanwhile: {reason}"))
            }
            evaluation => evaluation,
        }
    }

    /// Returns for how long the service has been up with the files that it took.
    fn stayed_up(&self, unit: &Unit, now: Duration) -> Duration {
        let since = match self.attempt.request {
            Request::Reload => unit.came_up.max(self.job_ended),
            Request::None | Request::Restart => unit.came_up,
        };
        now.saturating_sub(since)
    }

    /// Repeats a job that systemd did not run; returns whether it did so.
    ///
    /// systemd refuses to start a service that was started often within a short time, until
    /// `reset-failed`. That is done only when needed: if this run is then killed, the failed unit
    /// looks almost like a stopped one ([`Unit::was_set_back`]). After a refusal the service has
    /// not started; the unit's result may be that of an earlier run.
    ///
    /// A job is lost if systemd is executed anew just when the job is requested.
    fn repeat_job(&mut self, service: &str, unit: &Unit) -> Result<bool, Failure> {
        if unit.has_job || !unit.is_loaded {
            return Ok(false);
        }
        let is_open = self.attempt.is_open(unit);
        let verb = match (&self.attempt.job, self.attempt.request) {
            (Some(JobEnd::Failed(_)), Request::Restart)
                if is_open && unit.active == "failed" && !self.has_reset_start_limit =>
            {
                self.has_reset_start_limit = true;
                systemd::run("reset-failed", &[service])?;
                "restart"
            }
            // one that is inactive by now was stopped
            (Some(JobEnd::Disconnected), Request::Restart)
                if is_open && (unit.is_active() || unit.active == "failed") =>
            {
                "restart"
            }
            (Some(JobEnd::Disconnected), Request::Reload) if unit.active == "active" => "reload",
            _ => return Ok(false),
        };
        if self.attempt.job == Some(JobEnd::Disconnected) {
            if self.lost_jobs == MOST_REPEATS {
                return Ok(false);
            }
            self.lost_jobs += 1;
        }
        self.attempt.at = uptime();
        self.attempt.job = None;
        self.client = Some(systemd::start_job(verb, &[service])?);
        Ok(true)
    }
}

impl Drop for MonitoredService {
    /// Ends the client; systemd's job goes on.
    fn drop(&mut self) {
        if let Some(mut client) = self.client.take() {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// Returns a unit's files with links resolved: on NixOS, each definition has its own store path.
fn definition(unit: &Unit) -> Definition {
    let files = unit.files.iter().map(|file| {
        let path = fs::canonicalize(file).unwrap_or_else(|_| file.into());
        let changed = fs::metadata(&path).and_then(|found| found.modified()).ok();
        (path, changed)
    });
    files.collect()
}
