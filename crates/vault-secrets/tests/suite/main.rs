//! The program as hosts run it, against real OpenBao servers, with one topic for each file. The
//! scenarios test the rest with real services, on machines that boot.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an error in a helper fails its test"
)]

mod fetch;
mod fetch_all;
mod host;
mod metrics;

mod altered;
mod clean;
mod declarations;
mod interrupted;
mod killed;
mod largest;
mod links;
mod markers;
mod pinned;
mod prove;
mod questions;
mod refused;
mod rotation;
mod sources;
mod status;
mod templates;
mod together;
mod watch;
