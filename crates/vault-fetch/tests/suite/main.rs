//! Tests of the program against real OpenBao servers, one topic for each file.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "an error of a helper fails its test, and measurements are printed"
)]

mod host;

mod atomicity;
mod cache;
mod cluster;
mod credentials;
mod disk;
mod encoding;
mod environment;
mod environment_file;
mod fresh;
mod hostile;
mod json_file;
mod keys;
mod lockout;
mod misleading;
mod names;
mod nodes;
mod output;
mod ownership;
mod pinned;
mod refusals;
mod rejected;
mod replies;
mod sealed;
mod sealed_failures;
mod sealed_together;
mod secrecy;
mod sources;
mod ssh_certificates;
mod templates;
mod tls;
mod together;
mod unavailable;
mod unproven;
mod values;
mod verbose;
