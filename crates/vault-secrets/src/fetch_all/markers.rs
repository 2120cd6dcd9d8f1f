//! Markers of fetched secrets: files that make systemd skip the secrets' own units
//! (`ConditionPathExists=!`), which are ordered after this process.
//!
//! The folder is the unit's `RuntimeDirectory=`, so systemd removes it when the process ends,
//! however it ends. A marker is removed as soon as systemd has skipped the unit, or has started a
//! service of the secret: the next start of a service fetches anew.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sd_notify::NotifyState;
use zts_cli::{Failure, warn};
use zts_delivery::{DeclaredSecret, uptime};

use super::writers::{FetchResult, Results};
use crate::{
    fetch::fetch_unit,
    systemd::{self, Starts},
};

/// The first and the longest pause between two queries of the units.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(400)];

/// The time for units that have no job yet: a switch starts its services after the fetch.
const STAY: Duration = Duration::from_secs(3);

/// The time for units with a job, which may wait for others.
const LONGEST_STAY: Duration = Duration::from_secs(10);

/// The declared secrets by their names.
pub(super) type Secrets = BTreeMap<String, DeclaredSecret>;

/// The states of the secrets' units and of their services before the fetch, and the services that
/// have started since.
pub(super) struct UnitsBefore {
    /// Missing on a machine without systemd.
    starts: Option<Starts>,
    /// The states of units that are not at rest.
    states: BTreeMap<String, String>,
}

/// The markers of secrets whose units systemd has not skipped yet.
#[derive(Default)]
pub(super) struct Markers {
    /// The files by the names of the secrets.
    files: BTreeMap<String, PathBuf>,
    /// The time when systemd was notified.
    published: Duration,
    starts: Option<Starts>,
}

impl UnitsBefore {
    /// Queries systemd, and begins to note starts.
    ///
    /// # Errors
    /// systemd does not answer, as while it is executed anew.
    pub(super) fn query(secrets: &Secrets) -> Result<Self, Failure> {
        let starts = Starts::watch().ok();
        let services = secrets.values().flat_map(|secret| &secret.services);
        let fetches = fetch_unit("*");
        let units = [fetches.as_str()].into_iter();
        let states = systemd::list_states(units.chain(services.map(String::as_str)))?;
        Ok(Self { starts, states })
    }

    /// Returns whether systemd may skip the unit of a secret. It would leave a failed one failed. A
    /// service that is not at rest has had its fetch, and its next start needs another.
    fn may_skip(&self, name: &str, secret: &DeclaredSecret) -> bool {
        let has_failed = |unit: &str| self.states.get(unit).is_some_and(|it| it == "failed");
        let is_at_rest = |unit: &String| !self.states.contains_key(unit) || has_failed(unit);
        !has_failed(&fetch_unit(name)) && secret.services.iter().all(is_at_rest)
    }
}

/// Writes a marker into `folder` for each fetched secret whose unit is not needed. Then notifies
/// systemd that other units may start.
pub(super) fn publish(
    folder: &Path,
    results: &Results<'_>,
    secrets: &Secrets,
    before: UnitsBefore,
) -> Markers {
    let mut files = BTreeMap::new();
    for (name, result) in results {
        let may_skip = secrets
            .get(*name)
            .is_some_and(|it| before.may_skip(name, it));
        if *result != FetchResult::Fetched || !may_skip {
            continue;
        }
        let marker = folder.join(name);
        if let Err(cause) = fs::write(&marker, "") {
            let marker = marker.display();
            warn(format_args!("`{marker}` could not be written: {cause}"));
            break;
        }
        files.insert((*name).to_owned(), marker);
    }
    let mut markers = Markers {
        files,
        published: uptime(),
        starts: before.starts,
    };
    // those that started since the query
    markers.wait_for_starts(Duration::ZERO, secrets);
    notify_ready();
    markers
}

/// Notifies systemd that other units may start. Fails where systemd did not start this process.
pub(super) fn notify_ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

impl Markers {
    /// Waits until systemd has skipped the units, and removes the markers.
    pub(super) fn wait_for_units(mut self, secrets: &Secrets) {
        let mut pause = PAUSES[0];
        while !self.files.is_empty() {
            self.wait_for_starts(pause, secrets);
            pause = (pause * 2).min(PAUSES[1]);
            let units = self.files.keys().map(|name| fetch_unit(name)).collect();
            let Ok(units) = systemd::show(&units) else {
                break;
            };
            let is_skipped = |unit: &systemd::Unit| unit.skipped >= self.published;
            let skipped = |name: &str| units.get(&fetch_unit(name)).is_some_and(is_skipped);
            remove_if(&mut self.files, skipped);
            let elapsed = uptime().saturating_sub(self.published);
            let has_jobs = units.values().any(|unit| unit.has_job);
            if elapsed >= LONGEST_STAY || elapsed >= STAY && !has_jobs {
                break;
            }
        }
        remove_if(&mut self.files, |_| true);
    }

    /// Waits, and removes the markers of services that start meanwhile. A service is started after
    /// systemd has skipped the units of its secrets.
    fn wait_for_starts(&mut self, time: Duration, secrets: &Secrets) {
        let Some(starts) = &self.starts else {
            return thread::sleep(time);
        };
        let end = uptime() + time;
        loop {
            let remaining = end.saturating_sub(uptime());
            let Ok(started) = starts.wait(remaining) else {
                return remove_if(&mut self.files, |_| true);
            };
            remove_if(&mut self.files, |name| {
                let services = secrets.get(name).map(|secret| &secret.services);
                services.is_some_and(|all| all.iter().any(|service| started.contains(service)))
            });
            if remaining.is_zero() || self.files.is_empty() {
                return;
            }
        }
    }
}

fn remove_if(files: &mut BTreeMap<String, PathBuf>, is_done: impl Fn(&str) -> bool) {
    files.retain(|name, marker| {
        let is_done = is_done(name);
        if is_done {
            let _ = fs::remove_file(marker); // systemd removes the folder
        }
        !is_done
    });
}
