//! Asking again, with growing pauses, until a deadline.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, BlockingRetryable, ExponentialBuilder};

/// No attempt gets less time than this: it would end in a timeout of its own making, which hides what
/// the server said to the one before.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

/// The longest patience that is told apart from a longer one.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The moment `time` from now; more than a year is a year.
pub fn deadline_in(time: Duration) -> Instant {
    Instant::now() + time.min(A_YEAR)
}

/// Calls `ask` again and again, with pauses that grow from `shortest` to `longest`, while its error is
/// `worth` another attempt and one fits in before `deadline`.
///
/// # Errors
/// What the last call of `ask` gave.
pub fn retry_until<T, E>(
    deadline: Instant,
    [shortest, longest]: [Duration; 2],
    worth: impl FnMut(&E) -> bool,
    ask: impl FnMut() -> Result<T, E>,
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
    ask.retry(in_time).when(worth).call()
}
