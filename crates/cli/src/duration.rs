//! Times and durations, as people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than anybody waits or keeps a certificate, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

/// Reads a flag's value such as `90s`, `2min` or `30days`. More than a thousand years are a thousand: no clock goes
/// further.
///
/// # Errors
/// A text that is none.
pub fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text).map(|duration| duration.min(LONGEST))
}

/// The last second that is written with four digits for the year.
const LAST: u64 = 253_402_300_799;

/// Returns a time in UTC. One that no clock of ours shows, which a foreign file or token may name, is
/// told as such.
pub fn utc(time: SystemTime) -> String {
    match time.duration_since(UNIX_EPOCH) {
        Err(_) => "a time before 1970".to_owned(),
        Ok(since) if since.as_secs() > LAST => "a time after the year 9999".to_owned(),
        Ok(_) => humantime::format_rfc3339_seconds(time).to_string(),
    }
}

/// As [`utc`], of so many seconds after 1970 began.
pub fn utc_seconds(seconds: u64) -> String {
    utc(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_can_be_written() {
        assert_eq!(utc_seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc_seconds(LAST), "9999-12-31T23:59:59Z");
        assert_eq!(utc_seconds(LAST + 1), "a time after the year 9999");
        assert_eq!(utc_seconds(u64::MAX), "a time after the year 9999");
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(utc(before), "a time before 1970");
    }

    #[test]
    fn any_length_is_taken() {
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("584000000000years"), Ok(LONGEST));
        assert!(duration("soon").is_err());
    }
}
