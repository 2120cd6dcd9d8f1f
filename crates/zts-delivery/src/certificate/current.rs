//! The certificate that a host has, and the time at which it is replaced.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use zts_openbao::kv::{SecretVersion, VersionMetadata};

use super::signed::{Certificate, Validity};
use crate::{Cache, CachedCopyState, DeployedVersion, Rejection, SecretIdentity, numbering};

/// The longest time without another attempt after a certificate with which a service failed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The certificate that a host has.
pub(crate) struct CurrentCertificate {
    certificate: Certificate,
    validity: Validity,
    metadata: VersionMetadata,
}

impl CurrentCertificate {
    /// Returns the deployed certificate or, where none is deployed, that of the newest copy. `None`
    /// where there is none of this declaration.
    pub(crate) fn find(
        identity: &SecretIdentity,
        output: &Path,
        cache: Option<&Cache>,
    ) -> Option<Self> {
        let deployed = DeployedVersion::read(output).ok().flatten();
        let deployed = deployed.filter(|deployed| deployed.secret == *identity);
        if let Some(deployed) = deployed {
            let created_time = deployed.created_time.unwrap_or_default();
            let metadata = numbering::metadata(deployed.version, created_time);
            return Self::new(Certificate::read(output)?, metadata);
        }
        let CachedCopyState::Usable(copy, _) = cache?.read() else {
            return None;
        };
        let metadata = numbering::metadata(copy.version, copy.created_time.clone());
        Self::new(Certificate::from_values(&copy.values().ok()?)?, metadata)
    }

    fn new(certificate: Certificate, metadata: VersionMetadata) -> Option<Self> {
        Some(Self {
            validity: certificate.validity()?,
            certificate,
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
            values: Ok(self.certificate.values()),
            metadata: self.metadata,
        }
    }
}

impl Validity {
    /// Returns whether the time is over.
    pub(crate) fn has_ended(self, now: i64) -> bool {
        now >= self.not_after
    }

    fn is_due(self, now: i64, rejected: Option<i64>) -> bool {
        let lifetime = self.not_after.saturating_sub(self.not_before).max(0);
        let wait = (lifetime / 12).min(i64::try_from(LONGEST_WAIT.as_secs()).unwrap_or(i64::MAX));
        let waits = rejected.is_some_and(|at| now.saturating_sub(at) < wait);
        let is_due = now >= self.not_after - lifetime / 3;
        self.has_ended(now) || is_due && !waits
    }
}

/// Returns a time in seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn a_certificate_is_due_after_two_thirds_of_its_time() {
        let validity = |days| Validity {
            not_before: 0,
            not_after: days * DAY,
        };
        for (days, now, rejected, is_due) in [
            (30, 20 * DAY - 1, None, false),
            (30, 20 * DAY, None, true),
            (30, 21 * DAY, Some(21 * DAY - 60), false),
            (30, 21 * DAY, Some(20 * DAY), true),
            (30, 30 * DAY, Some(30 * DAY), true),
            (3, 2 * DAY + 60, Some(2 * DAY), false),
            (3, 2 * DAY + DAY / 4, Some(2 * DAY), true),
            // a rejection by a clock that was ahead
            (30, 21 * DAY, Some(29 * DAY), false),
        ] {
            assert_eq!(
                validity(days).is_due(now, rejected),
                is_due,
                "{days} {now} {rejected:?}"
            );
        }
    }

    #[test]
    fn a_certificate_has_ended_at_its_last_second() {
        let validity = Validity {
            not_before: 0,
            not_after: DAY,
        };
        assert!(!validity.has_ended(DAY - 1));
        assert!(validity.has_ended(DAY));
    }
}
