//! Several things that went wrong.

use cli::{Failure, warn};

/// The first is how the run ends, the others are told before.
pub(crate) fn first(failures: Vec<Failure>) -> Result<(), Failure> {
    for failure in failures.iter().skip(1) {
        warn(failure.message());
    }
    failures.into_iter().next().map_or(Ok(()), Err)
}
