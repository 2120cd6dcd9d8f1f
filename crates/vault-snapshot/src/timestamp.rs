//! The time at which a snapshot was taken, in its name and in its description.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const DAY: u64 = 24 * 60 * 60;
/// The largest difference between two correct clocks, in seconds.
const SKEW: u64 = 5 * 60;

/// A time in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    /// Returns the current time, and 1970 where the clock is before that.
    pub(crate) fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Returns the time that is `seconds` after the Unix epoch.
    #[cfg(test)]
    pub(crate) fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the seconds since the Unix epoch.
    pub(crate) fn seconds(self) -> u64 {
        self.0
    }

    /// Returns the time `seconds` later.
    pub(crate) fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns whether it lies ahead of this machine's clock, so that one of two clocks is wrong.
    pub(crate) fn is_in_future(self) -> bool {
        self > Self::now().plus_seconds(SKEW)
    }

    /// Returns its age in at most two units; zero for a time in the future.
    pub(crate) fn age(self) -> humantime::FormattedDuration {
        let seconds = Self::now().0.saturating_sub(self.0);
        let unit = match seconds {
            0..60 => 1,
            60..3600 => 60,
            3600..172_800 => 3600,
            _ => DAY,
        };
        let rough = seconds / unit * unit;
        humantime::format_duration(Duration::from_secs(rough))
    }

    /// Formats it for a file name: `2026-11-24T19-50-00Z`.
    pub(crate) fn to_file_name(self) -> String {
        self.to_string().replace(':', "-")
    }

    /// Parses the format of [`Timestamp::to_file_name`].
    pub(crate) fn from_file_name(text: &str) -> Option<Self> {
        let mut text = text.as_bytes().to_vec();
        for place in [13, 16] {
            let dash = text.get_mut(place).filter(|byte| **byte == b'-')?;
            *dash = b':';
        }
        Self::parse(&String::from_utf8(text).ok()?)
    }

    /// Parses the format of its `Display`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        let timestamp = Self(time.duration_since(UNIX_EPOCH).ok()?.as_secs());
        // Each time has one text: no fractions, no other zones.
        (timestamp.to_string() == text).then_some(timestamp)
    }

    /// Returns the number of its hour. As with days, weeks (from Monday on) and months: a later one
    /// has a greater number.
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

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH);
        Self(since.unwrap_or_default().as_secs())
    }
}

impl fmt::Display for Timestamp {
    /// Formats it as `2026-11-24T19:50:00Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the latest time of this format
        let seconds = self.0.min(253_402_300_799);
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        humantime::format_rfc3339_seconds(time).fmt(formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("expected a time such as 2026-11-24T19:50:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_file_name_round_trips() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-24T19:50:00Z",
            "2028-02-29T23:59:59Z",
        ] {
            assert_eq!(
                Timestamp::from_file_name(&timestamp(text).to_file_name()),
                Some(timestamp(text))
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
            assert_eq!(Timestamp::from_file_name(text), None, "{text}");
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let sunday = timestamp("2026-11-29T23:59:59Z");
        let monday = timestamp("2026-11-30T00:00:00Z");
        let next = timestamp("2026-12-01T00:00:00Z");
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
