//! The program as operators run it, against real OpenBao servers: one topic a file.
#![expect(
    clippy::unwrap_used,
    reason = "what the helpers below cannot do fails their test"
)]

mod site;

mod capabilities;
mod flake;
mod grants;
mod identity;
mod keys;
mod many;
mod missing;
mod namespaces;
mod odd;
mod operator;
mod output;
mod rights;
mod sources;
mod unavailable;
mod undeclared;
