//! Which CA signs when.
//!
//! Time is cut into periods, counted from 1970. The CA of a period signs during it; it is trusted from
//! two periods before to two periods after, and stands in bundles from one before to one after. So
//! whoever has a bundle that is up to a whole period old trusts what a node shows.

use std::time::Duration;

use time::OffsetDateTime;

/// One period, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    number: i64,
    seconds: i64,
}

impl Period {
    /// The period of this moment (seconds since 1970); `length` is at least a second.
    pub(crate) fn at(moment: u64, length: Duration) -> Self {
        let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
        let moment = i64::try_from(moment).unwrap_or(i64::MAX);
        Self {
            number: moment / seconds,
            seconds,
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> i64 {
        self.number
    }

    /// The period so many after this one.
    pub(crate) fn plus(self, count: i64) -> Self {
        Self {
            number: self.number + count,
            ..self
        }
    }

    /// Those whose CAs stand in a bundle of this period.
    pub(crate) fn trusted(self) -> [Self; 3] {
        [self.plus(-1), self, self.plus(1)]
    }

    /// When its CA begins to be valid.
    pub(crate) fn valid_from(self) -> OffsetDateTime {
        moment((self.number - 2).saturating_mul(self.seconds).max(0))
    }

    /// When its CA ends to be valid.
    pub(crate) fn valid_until(self) -> OffsetDateTime {
        moment((self.number + 3).saturating_mul(self.seconds))
    }
}

/// Seconds since 1970 as a date; what is beyond the calendar is its end.
pub(crate) fn moment(seconds: i64) -> OffsetDateTime {
    const END: i64 = 253_402_300_799; // the year 9999, the last that X.509 can say
    OffsetDateTime::from_unix_timestamp(seconds.min(END)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_yesterdays_bundle_trusts_todays_certificate() {
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
    fn a_ca_outlives_what_it_signs() {
        let length = Duration::from_secs(100);
        let period = Period::at(1_050, length);
        // Signed at the very end of the period, and good for as long as one.
        assert!(period.valid_until() >= moment(1_099 + 100 + 100));
        assert!(period.valid_from() <= moment(1_000 - 100));
    }
}
