//! Tests of the client against real OpenBao servers, one subject a file.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod clients;

mod active;
mod addresses;
mod approle;
mod errors;
mod failover;
mod kv;
mod sys;
mod wrapping;
mod writes;
