//! The settings of a client.

use std::time::Duration;

use zts_net::Trust;

use crate::Address;

/// The settings of a [`crate::Client`].
///
/// ```
/// use zts_openbao::{Address, Settings, Trust};
///
/// let addresses = Address::parse_list("https://10.0.0.5:8200,https://10.0.0.6:8200")?;
/// let mut settings = Settings::new(addresses);
/// settings.trust = Trust::Bundle("/etc/openbao/ca.pem".into());
/// settings.namespace = Some("team-a".into());
/// assert_eq!(settings.addresses.len(), 2);
/// # Ok::<_, zts_openbao::ParseAddressError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// The servers of one cluster, tried in this order; at least one.
    pub addresses: Vec<Address>,
    /// The certificates that a server may present.
    pub trust: Trust,
    /// The namespace that each request goes to (header `X-Vault-Namespace`).
    pub namespace: Option<String>,
    /// The time for resolving a name, for connecting, and for the TLS handshake, each.
    pub connect_timeout: Duration,
    /// The time for one request to one server.
    pub request_timeout: Duration,
}

impl Settings {
    /// Returns settings for `addresses` with the system's root certificates, a connect timeout of 2
    /// seconds and a request timeout of 10.
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
