//! Markers of fetched secrets: files that make systemd skip the secrets' own units
//! (`ConditionPathExists=!`), which are ordered after this process.
//!
//! The folder is the unit's `RuntimeDirectory=`, so systemd removes it when the process ends,
//! however it ends. A marker is removed as soon as systemd has skipped the unit: the next start of
//! the service fetches anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sd_notify::NotifyState;
use zts_cli::warn;
use zts_delivery::uptime;

use super::writers::{FetchResult, Results};
use crate::{fetch::fetch_unit, systemd};

/// The first and the longest pause between two queries of the units.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(400)];

/// The time for units that have no job yet: a switch starts its services after the fetch.
const STAY: Duration = Duration::from_secs(3);

/// The time for units with a job, which may wait for others.
const LONGEST_STAY: Duration = Duration::from_secs(10);

/// The markers of secrets whose units systemd has not skipped yet.
#[derive(Default)]
pub(super) struct Markers {
    /// The markers by the names of the units.
    markers: BTreeMap<String, PathBuf>,
    /// The time when systemd was notified.
    published: Duration,
}

/// Writes a marker into `folder` for each fetched secret. Then notifies systemd that other units
/// may start. A unit that has failed gets no marker, because systemd would leave it failed.
pub(super) fn publish(
    folder: Option<&Path>,
    results: &Results<'_>,
    failed_units: &BTreeSet<String>,
) -> Markers {
    let mut markers = BTreeMap::new();
    let fetched = results
        .iter()
        .filter(|(_, result)| **result == FetchResult::Fetched);
    for (name, folder) in fetched.filter_map(|(name, _)| Some((name, folder?))) {
        let unit = fetch_unit(name);
        if failed_units.contains(&unit) {
            continue;
        }
        let marker = folder.join(name);
        match fs::write(&marker, "") {
            Ok(()) => drop(markers.insert(unit, marker)),
            Err(cause) => {
                warn(format_args!(
                    "`{}` could not be written: {cause}",
                    marker.display()
                ));
                break;
            }
        }
    }
    let published = uptime();
    // fails where systemd did not start this process
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    Markers { markers, published }
}

impl Markers {
    /// Waits until systemd has skipped the units, and removes the markers.
    pub(super) fn wait_for_units(mut self) {
        let mut pause = PAUSES[0];
        while !self.markers.is_empty() {
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSES[1]);
            let Ok(units) = systemd::show(&self.markers.keys().cloned().collect()) else {
                break;
            };
            self.markers.retain(|name, marker| {
                let is_skipped = |unit: &systemd::Unit| unit.skipped >= self.published;
                let is_waiting = !units.get(name).is_some_and(is_skipped);
                if !is_waiting {
                    remove(marker);
                }
                is_waiting
            });
            let elapsed = uptime().saturating_sub(self.published);
            let has_jobs = units.values().any(|unit| unit.has_job);
            if elapsed >= LONGEST_STAY || elapsed >= STAY && !has_jobs {
                break;
            }
        }
        self.markers.values().for_each(|marker| remove(marker));
    }
}

fn remove(marker: &Path) {
    let _ = fs::remove_file(marker); // systemd removes the folder
}
