//! How long, as people write it.

use std::time::Duration;

/// Longer than anybody waits or keeps a certificate, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

/// Reads a flag's value such as `90s`, `2min` or `30days`.
///
/// # Errors
/// A text that is none, or more than a thousand years.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|why| why.to_string())?;
    if duration > LONGEST {
        return Err("that is more than a thousand years".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_clock_is_refused() {
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert!(duration("584000000000years").is_err());
        assert!(duration("soon").is_err());
    }
}
