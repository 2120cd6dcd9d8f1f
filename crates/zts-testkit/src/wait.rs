//! Waits for conditions, with limits that grow with the machine's load.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The limit of [`wait_for`] on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Calls `attempt` until it returns a value.
///
/// # Panics
/// After a minute, or longer on a busy machine; the message names the condition `what`.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let (start, limit) = (Instant::now(), scale_timeout(LIMIT));
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Scales a timeout for an idle machine by the number of runnable processes for each processor.
pub fn scale_timeout(idle: Duration) -> Duration {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let processors = f64::from(u32::try_from(processors).unwrap_or(1));
    let now = (runnable_processes(&load) / processors).max(1.0);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let factor = last.map_or(now, |(factor, at)| {
        remembered(factor, at.elapsed()).max(now)
    });
    *last = Some((factor, Instant::now()));
    idle.mul_f64(factor)
}

/// The last factor, and the time of its use.
static LAST: Mutex<Option<(f64, Instant)>> = Mutex::new(None);

/// The time in which half of a factor is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(30);

/// Returns what is left of a factor after this time. A limit that is looked up at the end of a run
/// must not be shorter than a timeout that was set at its start, when the machine was busier.
fn remembered(factor: f64, passed: Duration) -> f64 {
    factor * 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64())
}

/// Returns the number of runnable processes: the average of the last minute or the current number,
/// whichever is larger.
fn runnable_processes(load: &str) -> f64 {
    let mut words = load.split_whitespace(); // `0.61 0.40 0.38 3/512 4711`
    let average = words.next().and_then(|word| word.parse().ok());
    let now = words
        .nth(2)
        .and_then(|word| word.split('/').next()?.parse().ok());
    average.unwrap_or(0.0_f64).max(now.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{remembered, runnable_processes};

    #[test]
    fn a_limit_outlasts_the_load_that_it_was_set_for() {
        assert!(remembered(7.0, Duration::from_secs(6)) > 6.0);
        assert!(remembered(7.0, Duration::from_secs(120)) < 1.0);
    }

    #[test]
    fn the_larger_of_average_and_current_load_counts() {
        for (load, wanted) in [
            ("0.50 9.0 9.0 3/512 4711\n", 3.0),
            ("7.25 9.0 9.0 3/512 4711\n", 7.25),
            ("", 0.0),
        ] {
            assert!(
                (runnable_processes(load) - wanted).abs() < f64::EPSILON,
                "{load}"
            );
        }
    }
}
