//! The certificate that a host has, and the time at which it is replaced.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use zts_openbao::{
    SecretMap,
    kv::{SecretVersion, VersionMetadata},
};

use super::{
    signed::Certificate,
    ssh::SshCertificate,
    validity::{Validity, seconds},
};
use crate::{
    Alteration, Cache, CachedCopyState, DeployedVersion, Engine, Rejection, SecretIdentity,
    numbering,
};

/// The certificate that a host has.
pub(crate) struct CurrentCertificate {
    values: SecretMap,
    validity: Validity,
    metadata: VersionMetadata,
}

impl CurrentCertificate {
    /// Returns the deployed certificate or, where none is deployed, that of the newest copy. `None`
    /// where there is none of this declaration.
    pub(crate) fn find(
        engine: Engine<'_>,
        identity: &SecretIdentity,
        output: &Path,
        cache: Option<&Cache>,
    ) -> Option<Self> {
        let deployed = DeployedVersion::read(output).ok().flatten();
        let deployed = deployed.filter(|deployed| deployed.secret == *identity);
        let (values, metadata) = if let Some(deployed) = deployed {
            // a service that may write its files must not choose the key that the host keeps
            let found = read_deployed(engine, output);
            let values = match Alteration::detect(output, "") {
                None | Some(Alteration::Redeclared) => found?,
                Some(Alteration::Unknown | Alteration::Altered { .. }) => {
                    cache?.copy_of(&deployed)?.values().ok()?
                }
            };
            let created_time = deployed.created_time.unwrap_or_default();
            (values, numbering::metadata(deployed.version, created_time))
        } else {
            let CachedCopyState::Usable(copy, _) = cache?.read() else {
                return None;
            };
            let metadata = numbering::metadata(copy.version, copy.created_time.clone());
            (copy.values().ok()?, metadata)
        };
        Some(Self {
            validity: validity_of(engine, &values)?,
            values,
            metadata,
        })
    }

    /// Returns whether a new certificate is needed: two thirds of its time are over. After one that
    /// was rejected, it waits for a twelfth of that time, and for a day at most, unless the current
    /// one has ended.
    pub(crate) fn is_due(&self, cache: Option<&Path>, output: &Path) -> bool {
        let now = seconds(SystemTime::now());
        let rejection = Rejection::load(cache, output).ok().flatten();
        self.validity
            .is_due(now, rejection.map(|rejection| seconds(rejection.at)))
    }

    /// Returns the time until its end; `None` after that.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let seconds = self.validity.not_after - seconds(SystemTime::now());
        let left = u64::try_from(seconds).ok().filter(|left| *left > 0)?;
        Some(Duration::from_secs(left))
    }

    /// Returns the version's number and time.
    pub(crate) fn metadata(&self) -> &VersionMetadata {
        &self.metadata
    }

    /// Returns it as a version that is read.
    pub(crate) fn into_version(self) -> SecretVersion {
        SecretVersion {
            values: Ok(self.values),
            metadata: self.metadata,
        }
    }
}

/// Returns the values of the certificate in an output directory. `None` where there is none that
/// can be used.
fn read_deployed(engine: Engine<'_>, output: &Path) -> Option<SecretMap> {
    match engine {
        Engine::Pki(_) => Some(Certificate::read(output)?.values()),
        Engine::Ssh(_) => Some(SshCertificate::read(output)?.values()),
        Engine::Kv { .. } | Engine::Read | Engine::DatabaseStatic => None,
    }
}

/// Returns the time for which the certificate among these values is valid. `None` where there is
/// none that can be used.
pub(crate) fn validity_of(engine: Engine<'_>, values: &SecretMap) -> Option<Validity> {
    match engine {
        Engine::Pki(_) => Certificate::from_values(values)?.validity(),
        Engine::Ssh(request) => SshCertificate::from_values(values)?.validity_for(request),
        Engine::Kv { .. } | Engine::Read | Engine::DatabaseStatic => None,
    }
}

/// Returns the time at which the certificate in a secret's output directory ends. `None` where it
/// has none that can be used.
pub fn certificate_end(engine: Engine<'_>, output: &Path) -> Option<SystemTime> {
    let validity = validity_of(engine, &read_deployed(engine, output)?)?;
    let seconds = u64::try_from(validity.not_after).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
