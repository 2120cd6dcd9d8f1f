//! How long, as people write it.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_is_taken() {
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("584000000000years"), Ok(LONGEST));
        assert!(duration("soon").is_err());
    }
}
