//! The program as hosts run it, against real OpenBao servers: one topic a file. What needs services is
//! proven on machines that boot, by the scenarios.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what the helpers below cannot do fails their test"
)]

mod host;
mod metrics;

mod clean;
mod declarations;
mod killed;
mod questions;
mod refused;
mod rotation;
mod status;
mod together;
