//! Values as Prometheus has them: it knows no numbers but floating ones.

use std::time::SystemTime;

/// 1 where it is so, else 0.
pub fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A whole number; above 2^53, one near it.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers, and nothing that is counted here comes near"
)]
pub fn number(number: u64) -> f64 {
    number as f64
}

/// A moment in whole seconds since 1970; one before that is 0.
pub fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    number(since.unwrap_or_default().as_secs())
}
