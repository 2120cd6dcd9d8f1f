//! HTTP and TLS as all clients of this project use them, without any API on top.
//!
//! - [`Trust`] describes the certificates that a server may present, [`build_agent`] makes an HTTP
//!   agent with it, and [`fetch_peer_certificates`] reads the certificates of a server.
//! - [`classify_error`] turns an error of the HTTP library into a [`TransportError`].
//! - [`Download`] streams a body with an idle timeout, [`bounded`] limits the length of names and
//!   bodies, and [`redaction`] makes a server's text fit to be shown.
//! - [`retry_until`] repeats a call until a deadline.
//!
//! The library reads no environment variable but those that name the system's root certificates,
//! prints nothing and ends no process.

mod agent;
pub mod bounded;
mod download;
pub mod http_date;
mod peer_certificates;
pub mod redaction;
mod resolver;
mod retry;
mod transport;
mod trust;
mod verifier;

pub use agent::{agent_config, build_agent};
pub use download::Download;
pub use peer_certificates::fetch_peer_certificates;
pub use retry::{Observer, Waiting, deadline_in, observe_retries, retry_until};
pub use transport::{Limits, NoAnswer, TlsError, TransportError, classify_error, plain_text};
pub use trust::{Trust, TrustError};
