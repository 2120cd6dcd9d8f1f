//! Times and durations in text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest duration: short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

/// Parses a flag's value such as `90s`, `2min` or `30days`. More than a thousand years become a
/// thousand.
///
/// # Errors
/// A text that is not a duration.
pub fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text).map(|duration| duration.min(LONGEST))
}

/// The last second that is written with four digits for the year.
const LAST: u64 = 253_402_300_799;

/// Formats a time in UTC. A time before 1970 or after the year 9999, which a foreign file or token
/// may contain, is described in words.
pub fn utc(time: SystemTime) -> String {
    match time.duration_since(UNIX_EPOCH) {
        Err(_) => "a time before 1970".to_owned(),
        Ok(since) if since.as_secs() > LAST => "a time after the year 9999".to_owned(),
        Ok(_) => humantime::format_rfc3339_seconds(time).to_string(),
    }
}

/// As [`utc`], for a number of seconds since 1970.
pub fn utc_seconds(seconds: u64) -> String {
    utc(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_is_formatted() {
        assert_eq!(utc_seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc_seconds(LAST), "9999-12-31T23:59:59Z");
        assert_eq!(utc_seconds(LAST + 1), "a time after the year 9999");
        assert_eq!(utc_seconds(u64::MAX), "a time after the year 9999");
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(utc(before), "a time before 1970");
    }

    #[test]
    fn any_duration_is_parsed() {
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("584000000000years"), Ok(LONGEST));
        assert!(duration("soon").is_err());
    }
}
