//! The program as hosts run it, against real OpenBao servers: one topic a file.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what the helpers below cannot do fails their test, and what they measure is told"
)]

mod host;

mod cache;
mod fresh;
mod keys;
mod refusals;
mod replies;
mod tls;
mod unavailable;
mod values;
