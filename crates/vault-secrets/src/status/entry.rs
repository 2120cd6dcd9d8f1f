//! The status of one secret.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};
use zts_delivery::{FailureReason, LastChange, Source};

use super::secret_state::{CopyStatus, SecretState};
use crate::systemd::{Unit, Units};

/// The status of one secret.
#[derive(Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// True if its files are deployed.
    pub(crate) in_place: bool,
    /// The reason why the last fetch failed.
    pub(crate) last_failure: Option<FailureReason>,
    /// The deployed version.
    pub(crate) version: Option<u64>,
    /// The version that is declared, if one is pinned.
    pub(crate) pinned_version: Option<u64>,
    /// The source of the deployed version.
    pub(crate) source: Option<Source>,
    /// The last change of its files in this boot.
    #[serde(serialize_with = "seconds")]
    pub(crate) changed: Option<SystemTime>,
    /// The version of a pending rollout.
    pub(crate) unproven: Option<u64>,
    pub(crate) copy: Option<CopyStatus>,
    /// The reason why the copy cannot be used.
    pub(crate) copy_unusable: Option<String>,
    pub(crate) rejected: Option<Rejected>,
    /// The end of a deployed certificate.
    #[serde(serialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_end: Option<SystemTime>,
    pub(crate) services: Vec<Service>,
}

/// A version that is not used.
#[derive(Serialize)]
pub(crate) struct Rejected {
    pub(crate) version: u64,
    pub(crate) reason: String,
    #[serde(serialize_with = "seconds_of")]
    pub(crate) at: SystemTime,
}

/// A service that uses the secret.
#[derive(Serialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// The unit's state, such as `active`; `None` for an unknown unit.
    pub(crate) state: Option<String>,
    /// True if it runs with files from before their last change.
    pub(crate) has_older: Option<bool>,
}

impl Entry {
    /// Returns the status of a secret. `taken` holds the last times at which services took files
    /// without a start.
    pub(crate) fn new(
        secret: SecretState<'_>,
        units: &Units,
        taken: &BTreeMap<String, Duration>,
    ) -> Self {
        let change = secret.change;
        let services = secret.declared.services.iter();
        let deployed = secret.deployed_version.as_ref();
        Self {
            name: secret.name.to_owned(),
            in_place: secret.is_in_place,
            last_failure: secret.failures.last,
            version: deployed.map(|deployed| deployed.version),
            pinned_version: secret.declared.version,
            source: deployed.map(|deployed| deployed.source),
            changed: change.map(|change| change.at),
            unproven: secret.unproven,
            copy: secret.copy,
            copy_unusable: secret.copy_unusable,
            rejected: secret.rejection.map(|rejection| Rejected {
                version: rejection.version,
                reason: rejection.reason,
                at: rejection.at,
            }),
            certificate_end: secret.certificate_end,
            services: services
                .map(|name| {
                    let taken = taken.get(name).copied();
                    service_status(name, units.get(name), change, taken.unwrap_or_default())
                })
                .collect(),
        }
    }
}

fn service_status(
    name: &str,
    unit: Option<&Unit>,
    change: Option<LastChange>,
    taken: Duration,
) -> Service {
    let unit = unit.filter(|unit| unit.is_loaded);
    Service {
        name: name.to_owned(),
        state: unit.map(|unit| unit.active.clone()),
        has_older: unit
            .filter(|unit| unit.is_running())
            .and_then(|unit| Some(unit.read_files_at().max(taken) < change?.uptime)),
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(since_epoch).serialize(serializer)
}

fn seconds_of<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    since_epoch(time).serialize(serializer)
}

fn since_epoch(time: &SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
