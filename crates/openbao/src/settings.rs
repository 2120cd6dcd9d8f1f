//! How a client reaches its cluster.

use std::time::Duration;

use crate::{Address, Trust};

/// What a [`crate::Client`] needs to know before its first request.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The servers of one cluster, tried in this order; at least one.
    pub addresses: Vec<Address>,
    /// Which certificates a server may show.
    pub trust: Trust,
    /// The namespace that each request goes to (header `X-Vault-Namespace`).
    pub namespace: Option<String>,
    /// How long looking up a name, connecting, and the TLS handshake may each take.
    pub connect_timeout: Duration,
    /// How long one request may take on one server, all in all.
    pub request_timeout: Duration,
}

impl Settings {
    /// Settings for `addresses` that verify certificates with the system's roots, give up a
    /// connection after 2 seconds and a request after 10.
    pub fn new(addresses: Vec<Address>) -> Self {
        Self {
            addresses,
            trust: Trust::System,
            namespace: None,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
        }
    }
}
