//! The connection to OpenBao.

use secrecy::SecretString;
use zts_cli::{ConnectionArgs, Failure};
use zts_openbao::{Address, Authentication, Client, sys};

use crate::fleet::{Fleet, SETTINGS_FILE};

/// The server, the operator's token, and the mounts.
#[derive(Debug)]
pub(crate) struct Server {
    /// Speaks to the active node, because a run reads what it has just written.
    pub(crate) client: Client,
    /// The settings for OpenTofu, which must reach the same server in the same way.
    pub(crate) connection: zts_openbao::Settings,
    pub(crate) token: SecretString,
    /// Path of the AppRole mount, without `auth/`.
    pub(crate) approle_mount: String,
    /// Path of the KV mount.
    pub(crate) kv_mount: String,
    /// The environment of the host, if the fleet has environments.
    pub(crate) environment: Option<String>,
}

impl Server {
    /// Determines the server and the token; does not connect. Asks about an address that only the
    /// fleet names if `is_interactive`.
    pub(crate) fn new(
        arguments: &ConnectionArgs,
        fleet: &Fleet,
        is_interactive: bool,
    ) -> Result<Self, Failure> {
        let settings = &fleet.settings;
        let connection = arguments.settings_or(|name| match name {
            "ADDR" => Some(settings.openbao.address.to_string()),
            "NAMESPACE" => Some(settings.openbao.namespace.to_string()),
            _ => None,
        })?;
        let file = fleet.address_file.as_deref().unwrap_or(SETTINGS_FILE);
        let token =
            zts_cli::operator_token_in_checkout(arguments, &connection, file, is_interactive)?;
        let mut client = Client::new(connection.clone())?;
        client.authenticate(Authentication::Token(token.clone()));
        Ok(Self {
            client: client.active(),
            connection,
            token,
            approle_mount: settings.openbao.approle_mount.to_string(),
            kv_mount: settings.openbao.kv_mount.to_string(),
            environment: settings.environment.clone(),
        })
    }

    /// Returns the flag of `bao` for the namespace, with a space before it.
    pub(crate) fn namespace_flag(&self) -> String {
        let namespace = self.connection.namespace.as_ref();
        namespace.map_or_else(String::new, |namespace| format!(" -namespace={namespace}"))
    }

    /// Returns the address of the active node, if it is one of those given. OpenTofu's provider
    /// reads what it has just written from the server that answers.
    pub(crate) fn active_address(&self) -> &Address {
        let _ = self.client.find_active(); // without an active node, another one is used
        self.client.address()
    }

    /// Returns whether the address in use is the active node's own, not a standby's or a load
    /// balancer's.
    pub(crate) fn is_at_active_node(&self) -> bool {
        let leader = sys::leader(&self.client);
        leader.is_ok_and(|leader| {
            let is_own_address = leader.leader_address == self.client.address().to_string();
            !leader.ha_enabled || (leader.is_self && is_own_address)
        })
    }
}
