//! The status of one secret.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};
use zts_delivery::{
    CachedCopyState, CopyAge, DeclaredSecret, DeployedVersion, Error, FailureReason, Failures,
    LastChange, PendingRollout, Source,
};

use crate::{
    host::HostSecret,
    systemd::{Unit, Units},
};

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
    pub(crate) services: Vec<Service>,
}

/// The cached copy.
#[derive(Serialize)]
pub(crate) struct CopyStatus {
    pub(crate) version: u64,
    /// The time since OpenBao confirmed it.
    #[serde(rename = "confirmed_seconds_ago", serialize_with = "whole_seconds")]
    pub(crate) age: CopyAge,
    pub(crate) is_sealed: bool,
    /// True if it is older than it may be, or of unknown age.
    pub(crate) is_too_old: bool,
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
    /// Reads the status of a secret. `taken` holds the last times at which services took files
    /// without a start.
    ///
    /// # Errors
    /// The system's errors.
    pub(crate) fn read(
        name: &str,
        secret: &DeclaredSecret,
        units: &Units,
        taken: &BTreeMap<String, Duration>,
    ) -> Result<Self, Error> {
        let output = &secret.output_directory;
        let deployed_version = DeployedVersion::read(output)?;
        let change = LastChange::read(output)?;
        let (copy, copy_unusable) = read_copy(name, secret);
        let rejection = secret.rejection()?;
        let services = secret.services.iter();
        Ok(Self {
            name: name.to_owned(),
            in_place: secret.is_in_place()?,
            last_failure: Failures::read(output).last,
            version: deployed_version
                .as_ref()
                .map(|deployed_version| deployed_version.version),
            pinned_version: secret.version,
            source: deployed_version
                .as_ref()
                .map(|deployed_version| deployed_version.source),
            changed: change.map(|change| change.at),
            unproven: PendingRollout::unproven_version(output)?,
            copy,
            copy_unusable,
            rejected: rejection.map(|rejection| Rejected {
                version: rejection.version,
                reason: rejection.reason,
                at: rejection.at,
            }),
            services: services
                .map(|name| {
                    let taken = taken.get(name).copied();
                    service_status(name, units.get(name), change, taken.unwrap_or_default())
                })
                .collect(),
        })
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

/// Reads the copy as one of the deployed secret. The identity of the declared secret depends on the
/// settings of a connection.
fn read_copy(name: &str, secret: &DeclaredSecret) -> (Option<CopyStatus>, Option<String>) {
    let Some(mut cache) = HostSecret::deployed(name, secret).copies() else {
        return (None, None);
    };
    let found = cache.read();
    cache.max_age = secret.max_age("").unwrap_or_default(); // a fetch reports an invalid one
    match found {
        CachedCopyState::Usable(copy, age) => {
            let status = CopyStatus {
                version: copy.version,
                age,
                is_sealed: copy.is_sealed(),
                is_too_old: cache.is_too_old(age),
            };
            (Some(status), None)
        }
        CachedCopyState::Unusable(reason) | CachedCopyState::OfOtherSecret(reason) => {
            (None, Some(reason))
        }
        CachedCopyState::Absent | CachedCopyState::TooOld(_) => (None, None),
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(since_epoch).serialize(serializer)
}

fn seconds_of<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    since_epoch(time).serialize(serializer)
}

fn whole_seconds<S: Serializer>(age: &CopyAge, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(|age| age.as_secs()).serialize(serializer)
}

fn since_epoch(time: &SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
