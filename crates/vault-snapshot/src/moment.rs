//! When a snapshot was taken, as its name and its description say it.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const DAY: u64 = 24 * 60 * 60;
/// How far two clocks that are right may be apart, in seconds.
const SKEW: u64 = 5 * 60;

/// A second, counted from 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Now. A clock that stands before 1970 says 1970.
    pub(crate) fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// So many seconds after 1970 began.
    #[cfg(test)]
    pub(crate) fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970 began.
    pub(crate) fn seconds(self) -> u64 {
        self.0
    }

    /// So many seconds later.
    pub(crate) fn after(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Whether it has yet to come, by this machine's clock: a wrong clock said it, there or here.
    pub(crate) fn is_ahead(self) -> bool {
        self > Self::now().after(SKEW)
    }

    /// How long ago that was, as people write it; a moment to come is no time ago.
    pub(crate) fn age(self) -> humantime::FormattedDuration {
        let seconds = Self::now().0.saturating_sub(self.0);
        // Two units are enough: days and hours, hours and minutes.
        let unit = match seconds {
            0..60 => 1,
            60..3600 => 60,
            3600..172_800 => 3600,
            _ => DAY,
        };
        let rough = seconds / unit * unit;
        humantime::format_duration(Duration::from_secs(rough))
    }

    /// As a part of a file name: `2026-11-24T19-50-00Z`.
    pub(crate) fn in_name(self) -> String {
        self.to_string().replace(':', "-")
    }

    /// Reads what [`Moment::in_name`] writes.
    pub(crate) fn from_name(text: &str) -> Option<Self> {
        let mut text = text.as_bytes().to_vec();
        for place in [13, 16] {
            let dash = text.get_mut(place).filter(|byte| **byte == b'-')?;
            *dash = b':';
        }
        Self::parse(&String::from_utf8(text).ok()?)
    }

    /// Reads what is displayed of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        let moment = Self(time.duration_since(UNIX_EPOCH).ok()?.as_secs());
        // One text for one moment: no fractions, no other zones.
        (moment.to_string() == text).then_some(moment)
    }

    /// The hour, day, week (from Monday on) or month that it falls into: equal within one, and of a later one
    /// greater.
    pub(crate) fn hour(self) -> u64 {
        self.0 / 3600
    }

    pub(crate) fn day(self) -> u64 {
        self.0 / DAY
    }

    pub(crate) fn week(self) -> u64 {
        (self.day() + 3) / 7 // 1970 began on a Thursday
    }

    pub(crate) fn month(self) -> u64 {
        let text = self.to_string();
        let digits = text.bytes().take(7).filter(u8::is_ascii_digit);
        digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH);
        Self(since.unwrap_or_default().as_secs())
    }
}

impl fmt::Display for Moment {
    /// `2026-11-24T19:50:00Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last moment that can be written so, for one beyond it.
        let seconds = self.0.min(253_402_300_799);
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        humantime::format_rfc3339_seconds(time).fmt(formatter)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no time such as 2026-11-24T19:50:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn a_name_gives_the_moment_back() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-24T19:50:00Z",
            "2028-02-29T23:59:59Z",
        ] {
            assert_eq!(
                Moment::from_name(&moment(text).in_name()),
                Some(moment(text))
            );
        }
        for text in [
            "",
            "2026-11-24T19:50:00Z",
            "2026-11-24T19-50-00",
            "2026-11-24T19-50-00.5Z",
            "2026-13-01T00-00-00Z",
            "üüüüüüüüüü",
        ] {
            assert_eq!(Moment::from_name(text), None, "{text}");
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let sunday = moment("2026-11-29T23:59:59Z");
        let monday = moment("2026-11-30T00:00:00Z");
        let next = moment("2026-12-01T00:00:00Z");
        assert_eq!(
            (sunday.week() + 1, monday.week()),
            (monday.week(), next.week())
        );
        assert_eq!(
            (sunday.month(), monday.month(), next.month()),
            (202_611, 202_611, 202_612)
        );
    }
}
