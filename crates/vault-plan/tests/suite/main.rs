//! The program as operators run it, against real OpenBao servers: one topic a file.
#![expect(clippy::unwrap_used, reason = "a helper that fails must fail the test")]

mod site;

mod capabilities;
mod engines;
mod flake;
mod generate;
mod grants;
mod identity;
mod keys;
mod many;
mod missing;
mod namespaces;
mod operator;
mod output;
mod rights;
mod sources;
mod unavailable;
mod undeclared;
mod unusual_names;
