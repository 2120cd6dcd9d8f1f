//! The program as operators run it, with the real sops and age, and real OpenBao servers.
#![expect(clippy::unwrap_used, reason = "a helper that fails must fail the test")]

mod fleet;

mod diffs;
mod plans;
mod refusals;
mod values;
mod verification;
