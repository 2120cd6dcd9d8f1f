//! Retries with growing pauses until a deadline.

use std::{
    fmt,
    sync::OnceLock,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, BlockingRetryable, ExponentialBuilder};

/// The least time for an attempt. A shorter one would time out, and its error would hide the
/// server's answer to the attempt before.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

/// The latest deadline from now: an `Instant` cannot be arbitrarily late.
const ONE_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Sees the failed attempts of a call that is repeated. It is dropped at the end of the call.
pub trait Waiting {
    /// An attempt failed, and another one follows.
    fn attempt_failed(&mut self, reason: &dyn fmt::Display);
}

/// Begins to observe a call at its first failed attempt; the call ends at the given time.
pub type Observer = fn(Instant) -> Box<dyn Waiting>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Sets the observer of all calls of [`retry_until`]. The first one stays.
pub fn observe_retries(observer: Observer) {
    let _ = OBSERVER.set(observer);
}

/// Returns the deadline `time` from now: at least one attempt's time, at most a year.
pub fn deadline_in(time: Duration) -> Instant {
    Instant::now() + time.clamp(SHORTEST_ATTEMPT, ONE_YEAR)
}

/// Calls `attempt` until it succeeds, fails with an error that `is_transient` does not accept, or
/// no further attempt fits in before `deadline`. Pauses grow from `shortest` to `longest`.
///
/// # Errors
/// The error of the last attempt.
///
/// ```
/// use std::time::Duration;
/// use zts_net::{deadline_in, retry_until};
///
/// let pauses = [Duration::from_millis(1), Duration::from_millis(5)];
/// let mut count = 0;
/// let result = retry_until(deadline_in(Duration::from_secs(1)), pauses, |_| true, || {
///     count += 1;
///     if count < 3 { Err("busy") } else { Ok(count) }
/// });
/// assert_eq!(result, Ok(3));
/// ```
pub fn retry_until<T, E: fmt::Display>(
    deadline: Instant,
    [shortest, longest]: [Duration; 2],
    is_transient: impl FnMut(&E) -> bool,
    attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .with_jitter()
        .without_max_times()
        .build();
    let in_time = pauses.map_while(move |pause| {
        let left = deadline.saturating_duration_since(Instant::now());
        let for_pauses = left.checked_sub(SHORTEST_ATTEMPT)?;
        Some(pause.min(for_pauses))
    });
    let mut waiting: Option<Box<dyn Waiting>> = None;
    attempt
        .retry(in_time)
        .when(is_transient)
        .notify(|error, pause| {
            tracing::debug!(?pause, "the attempt failed, another one follows");
            if let Some(begin) = OBSERVER.get() {
                let waiting = waiting.get_or_insert_with(|| begin(deadline));
                waiting.attempt_failed(error);
            }
        })
        .call()
}
