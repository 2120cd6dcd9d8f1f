//! What is told of one secret.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use delivery::{
    Age, Cache, Change, DeclaredSecret, Failures, Found, Reason, Rejection, Source, Standing,
    Trial, Workplace,
};
use serde::{Serialize, Serializer};

use crate::systemd::{Unit, Units};

/// One secret.
#[derive(Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Whether its files are there.
    pub(crate) in_place: bool,
    /// Why the last attempt to get it failed; none where it did not.
    pub(crate) last_failure: Option<Reason>,
    /// The version in place.
    pub(crate) version: Option<u64>,
    /// Where it came from.
    pub(crate) source: Option<Source>,
    /// When its files changed last, as far as that was in this boot.
    #[serde(serialize_with = "seconds")]
    pub(crate) changed: Option<SystemTime>,
    /// The version that services are trying right now, or did when they were cut short.
    pub(crate) on_trial: Option<u64>,
    pub(crate) copy: Option<Copied>,
    /// Why the copy cannot be used.
    pub(crate) copy_unusable: Option<String>,
    pub(crate) rejected: Option<Rejected>,
    pub(crate) services: Vec<Service>,
}

/// The cached copy.
#[derive(Serialize)]
pub(crate) struct Copied {
    pub(crate) version: u64,
    /// How long ago OpenBao confirmed it.
    #[serde(rename = "confirmed_seconds_ago", serialize_with = "whole_seconds")]
    pub(crate) age: Age,
    pub(crate) is_sealed: bool,
    /// Whether it is older than it may be, or may be so.
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
    /// `active` and so on; nothing where systemd does not know it.
    pub(crate) state: Option<String>,
    /// Whether it runs with files from before their last change.
    pub(crate) has_older: Option<bool>,
}

impl Entry {
    /// `taken` tells when services last took files without a start of their own.
    pub(crate) fn of(
        name: &str,
        secret: &DeclaredSecret,
        units: &Units,
        taken: &BTreeMap<String, Duration>,
    ) -> Self {
        let output = &secret.output_directory;
        let standing = Standing::of(output);
        let change = Change::of(output);
        let (copy, copy_unusable) = copy(secret, standing.as_ref());
        let rejection = secret.home().as_deref().and_then(Rejection::read);
        let services = secret.services.iter();
        Self {
            name: name.to_owned(),
            in_place: output.is_dir() && Workplace::is_there(output),
            last_failure: Failures::of(output).last,
            version: standing.as_ref().map(|standing| standing.version),
            source: standing.as_ref().map(|standing| standing.source),
            changed: change.map(|change| change.at),
            on_trial: Trial::of(output).map(|trial| trial.new.version),
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
                    service(name, units.get(name), change, taken.unwrap_or_default())
                })
                .collect(),
        }
    }
}

fn service(name: &str, unit: Option<&Unit>, change: Option<Change>, taken: Duration) -> Service {
    let unit = unit.filter(|unit| unit.is_loaded);
    Service {
        name: name.to_owned(),
        state: unit.map(|unit| unit.active.clone()),
        has_older: unit
            .filter(|unit| unit.is_running())
            .and_then(|unit| Some(unit.started.max(taken) < change?.uptime)),
    }
}

/// The copy is looked at as one of the secret that stands there: which one is declared takes a
/// connection's settings to say.
fn copy(secret: &DeclaredSecret, standing: Option<&Standing>) -> (Option<Copied>, Option<String>) {
    let Some(folder) = &secret.cache_directory else {
        return (None, None);
    };
    let identity = standing.map(|standing| standing.secret.clone());
    let mut cache = Cache::new(folder.clone(), identity.unwrap_or_default());
    let found = cache.read();
    let most = secret.max_cache_age.as_deref();
    cache.max_age = most.and_then(|most| humantime::parse_duration(most).ok());
    match found {
        Found::Copy(copy, age) => {
            let copied = Copied {
                version: copy.version,
                age,
                is_sealed: copy.is_sealed(),
                is_too_old: cache.is_too_old(age),
            };
            (Some(copied), None)
        }
        Found::Unusable(reason) | Found::OfAnother(reason) => (None, Some(reason)),
        Found::Nothing | Found::TooOld(_) => (None, None),
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(since_epoch).serialize(serializer)
}

fn seconds_of<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    since_epoch(time).serialize(serializer)
}

fn whole_seconds<S: Serializer>(age: &Age, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(|age| age.as_secs()).serialize(serializer)
}

fn since_epoch(time: &SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
