//! Waiting for what will be so soon.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// How long anything may take on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `attempt` again and again until it gives something.
///
/// # Panics
/// After a minute, more on a busy machine, saying `what` did not happen.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let (start, patience) = (Instant::now(), busy(PATIENCE));
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(
            start.elapsed() < patience,
            "waited {patience:?} in vain: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns how long something may take here and now that takes no longer than `idle` on a machine with nothing
/// else to do: as many times more as there are processes for each processor.
pub fn busy(idle: Duration) -> Duration {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    idle.mul_f64((crowd(&load) / f64::from(u32::try_from(processors).unwrap_or(1))).max(1.0))
}

/// Returns how many processes want a processor: in the last minute, or now where these are more.
fn crowd(load: &str) -> f64 {
    let mut words = load.split_whitespace(); // `0.61 0.40 0.38 3/512 4711`
    let average = words.next().and_then(|word| word.parse().ok());
    let now = words
        .nth(2)
        .and_then(|word| word.split('/').next()?.parse().ok());
    average.unwrap_or(0.0_f64).max(now.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::crowd;

    #[test]
    fn the_crowd_is_that_of_the_minute_or_of_now() {
        for (load, wanted) in [
            ("0.50 9.0 9.0 3/512 4711\n", 3.0),
            ("7.25 9.0 9.0 3/512 4711\n", 7.25),
            ("", 0.0),
        ] {
            assert!((crowd(load) - wanted).abs() < f64::EPSILON, "{load}");
        }
    }
}
