//! The place of roles in OpenBao, to compare those of environments.

use zts_cli::ConnectionArgs;
use zts_openbao::Address;

use crate::fleet::Settings;

/// The servers, the namespace and the mount of roles. Two hosts of one name share a role if theirs
/// are the same.
#[derive(Clone, Debug)]
pub(crate) struct RoleSpace {
    addresses: Vec<String>,
    namespace: String,
    mount: String,
}

impl RoleSpace {
    /// Returns the place that the settings name.
    pub(crate) fn of_settings(settings: &Settings) -> Self {
        let openbao = &settings.openbao;
        Self {
            addresses: split_addresses(openbao.address.as_str()),
            namespace: openbao.namespace.to_string(),
            mount: openbao.approle_mount.to_string(),
        }
    }

    /// Returns the place with the address and the namespace of flags and variables.
    pub(crate) fn with_connection(self, connection: &ConnectionArgs) -> Self {
        let given = connection.given_address();
        let namespace = connection.given_namespace();
        Self {
            addresses: given.map_or(self.addresses, |given| split_addresses(&given)),
            namespace: namespace.unwrap_or(self.namespace),
            mount: self.mount,
        }
    }

    /// Returns the place with the addresses of `used` if it is at the servers of `known`.
    pub(crate) fn at_servers_of(mut self, known: &Self, used: &Self) -> Self {
        if self.has_server_of(known) {
            self.addresses.clone_from(&used.addresses);
        }
        self
    }

    /// Returns whether roles of one name in both places are the same role.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let plain = |namespace: &str| namespace.trim_matches('/').to_owned();
        self.mount == other.mount
            && plain(&self.namespace) == plain(&other.namespace)
            && self.has_server_of(other)
    }

    fn has_server_of(&self, other: &Self) -> bool {
        let mut addresses = self.addresses.iter();
        addresses.any(|address| other.addresses.contains(address))
    }
}

fn split_addresses(text: &str) -> Vec<String> {
    match Address::parse_list(text) {
        Ok(addresses) => addresses.iter().map(ToString::to_string).collect(),
        Err(_) => vec![text.to_owned()], // refused later
    }
}
