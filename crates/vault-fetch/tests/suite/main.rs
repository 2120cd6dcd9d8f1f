//! The program as hosts run it, against real OpenBao servers: one topic a file.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "what the helpers below cannot do fails their test, and what they measure is told"
)]

mod host;

mod atomicity;
mod cache;
mod cluster;
mod credentials;
mod disk;
mod environment;
mod environment_file;
mod fresh;
mod hostile;
mod keys;
mod lockout;
mod misleading;
mod nodes;
mod output;
mod ownership;
mod refusals;
mod rejected;
mod replies;
mod sealed;
mod secrecy;
mod templates;
mod tls;
mod together;
mod unavailable;
mod values;
