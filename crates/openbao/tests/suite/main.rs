//! The client against real OpenBao servers: one topic a file.
#![expect(
    clippy::unwrap_used,
    reason = "what the helpers below cannot do fails their test"
)]

mod client;

mod active;
mod addresses;
mod approle;
mod dead;
mod errors;
mod kv;
mod sys;
mod wrapping;
mod writes;
