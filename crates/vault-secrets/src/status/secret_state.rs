//! The state of each declared secret, by the notes and the copy of this host.

use std::time::SystemTime;

use serde::{Serialize, Serializer};
use zts_cli::warn;
use zts_delivery::{
    CachedCopyState, CopyAge, Declarations, DeclaredSecret, DeployedVersion, Error, Failures,
    LastChange, PendingRollout, Rejection, certificate_end,
};

use crate::host::HostSecret;

/// The state of one secret.
pub(crate) struct SecretState<'a> {
    pub(crate) name: &'a str,
    pub(crate) declared: &'a DeclaredSecret,
    /// Set if its files are deployed.
    pub(crate) is_in_place: bool,
    pub(crate) deployed_version: Option<DeployedVersion>,
    /// The last change of its files in this boot.
    pub(crate) change: Option<LastChange>,
    pub(crate) failures: Failures,
    pub(crate) copy: Option<CopyStatus>,
    /// The reason why the copy cannot be used.
    pub(crate) copy_unusable: Option<String>,
    pub(crate) rejection: Option<Rejection>,
    /// The version of a pending rollout.
    pub(crate) unproven: Option<u64>,
    /// The end of a deployed certificate.
    pub(crate) certificate_end: Option<SystemTime>,
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

/// Reads the state of all declared secrets. Returns the names of those whose state cannot be read,
/// too, and warns of each.
pub(crate) fn read_all(declarations: &Declarations) -> (Vec<SecretState<'_>>, Vec<&str>) {
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    for (name, declared) in &declarations.secrets {
        match SecretState::read(name, declared) {
            Ok(secret) => all.push(secret),
            Err(error) => {
                warn(format_args!("`{name}`: {error}"));
                unreadable.push(name.as_str());
            }
        }
    }
    (all, unreadable)
}

impl<'a> SecretState<'a> {
    fn read(name: &'a str, declared: &'a DeclaredSecret) -> Result<Self, Error> {
        let output = &declared.output_directory;
        let deployed_version = DeployedVersion::read(output)?;
        let (copy, copy_unusable) = read_copy(&HostSecret::of_version(
            name,
            declared,
            deployed_version.as_ref(),
        ));
        Ok(Self {
            name,
            declared,
            is_in_place: declared.is_in_place()?,
            deployed_version,
            change: LastChange::read(output)?,
            failures: Failures::read(output),
            copy,
            copy_unusable,
            rejection: declared.rejection()?,
            unproven: PendingRollout::unproven_version(output)?,
            certificate_end: certificate_end(declared.reference("").engine, output),
        })
    }
}

/// Reads the copy as one of the deployed secret. The identity of the declared secret depends on the
/// settings of a connection.
fn read_copy(secret: &HostSecret<'_>) -> (Option<CopyStatus>, Option<String>) {
    let Some(mut cache) = secret.copies() else {
        return (None, None);
    };
    let found = cache.read();
    cache.max_age = secret.declared.max_age("").unwrap_or_default(); // a fetch reports an invalid one
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

fn whole_seconds<S: Serializer>(age: &CopyAge, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(|age| age.as_secs()).serialize(serializer)
}
