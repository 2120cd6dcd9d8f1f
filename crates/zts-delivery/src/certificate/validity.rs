//! The time for which a certificate is valid, and the time at which it is replaced.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest time without another attempt after a certificate with which a service failed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The time for which a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Validity {
    /// Returns whether the time is over.
    pub(crate) fn has_ended(self, now: i64) -> bool {
        now >= self.not_after
    }

    pub(super) fn is_due(self, now: i64, rejected: Option<i64>) -> bool {
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
