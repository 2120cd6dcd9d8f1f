//! The periods in which CAs sign.
//!
//! Time is divided into periods, counted from 1970. The CA of a period signs during it. It is valid
//! from two periods before to two periods after, and is in bundles from one before to one after. So
//! a client whose bundle is up to a whole period old trusts a node's certificate.

use std::time::Duration;

use time::OffsetDateTime;

/// A period, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    number: i64,
    seconds: i64,
}

impl Period {
    /// Returns the period of a time (seconds since 1970); `length` is at least a second.
    pub(crate) fn at(time: u64, length: Duration) -> Self {
        let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        Self {
            number: time / seconds,
            seconds,
        }
    }

    pub(crate) fn number(self) -> i64 {
        self.number
    }

    /// Returns the period that is `count` periods later.
    pub(crate) fn plus(self, count: i64) -> Self {
        Self {
            number: self.number + count,
            ..self
        }
    }

    /// Returns the periods whose CAs are in a bundle of this period.
    pub(crate) fn trusted(self) -> [Self; 3] {
        [self.plus(-1), self, self.plus(1)]
    }

    /// Returns the beginning of its CA's validity.
    pub(crate) fn valid_from(self) -> OffsetDateTime {
        date((self.number - 2).saturating_mul(self.seconds).max(0))
    }

    /// Returns the end of its CA's validity.
    pub(crate) fn valid_until(self) -> OffsetDateTime {
        date((self.number + 3).saturating_mul(self.seconds))
    }
}

/// Converts seconds since 1970 to a date, at most the last date of X.509.
pub(crate) fn date(seconds: i64) -> OffsetDateTime {
    const END: i64 = 253_402_300_799; // the end of the year 9999
    OffsetDateTime::from_unix_timestamp(seconds.min(END)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_of_one_period_ago_has_todays_signer() {
        let length = Duration::from_secs(100);
        for bundle_from in 1_000..1_200 {
            let bundle = Period::at(bundle_from, length).trusted();
            for now in bundle_from..=bundle_from + 100 {
                let signer = Period::at(now, length);
                assert!(bundle.contains(&signer), "{bundle_from}, {now}");
            }
        }
    }

    #[test]
    fn a_ca_outlives_the_certificates_that_it_signs() {
        let length = Duration::from_secs(100);
        let period = Period::at(1_050, length);
        // A certificate signed at the end of the period that is valid for a whole period.
        assert!(period.valid_until() >= date(1_099 + 100 + 100));
        assert!(period.valid_from() <= date(1_000 - 100));
    }
}
