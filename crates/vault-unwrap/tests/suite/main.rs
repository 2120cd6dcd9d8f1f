//! Tests of the `vault-unwrap` binary with real OpenBao servers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what the helpers below cannot do fails their test"
)]

mod host;

mod best_effort;
mod cluster;
mod disk;
mod environment_file;
mod existing;
mod hostile;
mod killed;
mod refused;
mod together;
mod trade;
mod unavailable;
