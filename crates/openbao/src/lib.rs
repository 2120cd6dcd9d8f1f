//! Speaks HTTP to OpenBao: the only code of this project that does.
//!
//! A [`Client`] holds the addresses of a cluster, begins with the first, stays with the one that
//! answered and finds another where it does not. The endpoints are grouped as OpenBao's API pages are: [`sys`],
//! [`wrapping`], [`approle`], [`kv`]. What goes wrong is an [`Error`], which keeps apart what a
//! caller must treat differently: a cluster that cannot be used now, a refusal, a missing secret.
//!
//! Where a request may go that a server points elsewhere is decided in [`destination`], and what of a
//! server's text may be shown in [`redaction`].
//!
//! The library reads no environment variable but those that name the system's root certificates, prints nothing and ends no process.

mod active;
mod address;
pub mod approle;
mod authentication;
mod bounded;
mod client;
mod connector;
pub mod destination;
mod error;
mod exchange;
pub mod handshake;
pub mod identity;
pub mod init;
pub mod jwt;
pub mod kv;
mod lockout;
mod path;
pub mod redaction;
mod reply;
mod request;
mod retry;
mod round;
mod scout;
mod secret_map;
mod settings;
pub mod snapshot;
mod stream;
pub mod sys;
pub mod tls;
pub mod token;
pub mod transport;
mod trust;
pub mod unseal;
mod verifier;
pub mod wrapping;

pub use address::{Address, ParseAddressError};
pub use authentication::{AppRoleCredentials, Authentication};
pub use client::Client;
pub use connector::agent;
pub use error::{Attempt, Error, Refusal, Trouble};
pub use reply::Reply;
pub use request::{Method, Request};
pub use retry::{deadline_in, retry_until};
pub use secret_map::{SecretMap, SecretValue};
pub use settings::Settings;
pub use stream::Download;
pub use trust::{Trust, TrustError};
