//! A client of OpenBao's HTTP API.
//!
//! A [`Client`] holds the addresses of a cluster, tries the first, stays with the one that
//! answered, and fails over to another where it does not. The endpoints are grouped as OpenBao's
//! API pages are: [`sys`], [`wrapping`], [`approle`], [`kv`], [`engine`]. An [`Error`] separates
//! the cases that a caller must treat differently: a cluster that cannot be used now, a refused
//! request, a missing secret.
//!
//! [`destination`] holds the rule for redirects, [`zts_net::redaction`] makes a server's text fit
//! to be shown.
//!
//! The library reads no environment variable but those that name the system's root certificates,
//! prints nothing and ends no process.

mod active;
mod address;
mod api_error;
pub mod approle;
mod authentication;
mod client;
pub mod destination;
pub mod engine;
mod error;
mod events;
mod exchange;
mod failover;
mod health_probe;
pub mod identity;
pub mod init;
pub mod jwt;
pub mod kv;
mod lockout;
mod node_request;
mod node_status;
mod path;
mod reply;
mod request;
mod route;
mod secret_map;
mod settings;
pub mod snapshot;
mod streaming;
pub mod sys;
pub mod token;
pub mod unseal;
pub mod wrapping;

pub use address::{Address, ParseAddressError};
pub use authentication::{AppRoleCredentials, Authentication};
pub use client::Client;
pub use error::{ApiError, Error, NodeError, NodeFailure};
pub use reply::Reply;
pub use request::{Method, Request};
pub use secret_map::{SecretMap, SecretValue};
pub use settings::Settings;
// part of the settings and errors
pub use zts_net::{TlsError, TransportError, Trust, TrustError};
