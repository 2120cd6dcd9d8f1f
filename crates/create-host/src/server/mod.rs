//! The OpenBao side: what is checked before, policy and role, credentials.

mod api;
pub(crate) mod credentials;
mod preflight;
mod tofu;

use cli::{ConnectionArgs, Failure};
use openbao::{Address, Authentication, Client, sys};
use secrecy::SecretString;

use crate::fleet::Settings;

pub(crate) use api::{Outcome, Step};
pub(crate) use preflight::{Held, Task, check};
pub(crate) use tofu::{OpenTofu, choose};

pub(crate) use api::{apply, read, remove};

/// The server and who asks it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Speaks to the active node: a run reads what it has just written.
    pub(crate) client: Client,
    /// For OpenTofu, which has to reach the same server in the same way.
    pub(crate) connection: openbao::Settings,
    pub(crate) token: SecretString,
    /// Path of the AppRole mount, without `auth/`.
    pub(crate) approle: String,
    /// Path of the KV mount.
    pub(crate) kv: String,
}

impl Server {
    /// Finds out which server to ask and with which token; does not connect.
    pub(crate) fn new(arguments: &ConnectionArgs, settings: &Settings) -> Result<Self, Failure> {
        let connection = arguments.settings(Some(settings.openbao.address.as_str()))?;
        let token = cli::operator_token(arguments, &connection)?;
        let mut client = Client::new(connection.clone())?;
        client.authenticate(Authentication::Token(token.clone()));
        Ok(Self {
            client: client.active(),
            connection,
            token,
            approle: settings.openbao.approle_mount.to_string(),
            kv: settings.openbao.kv_mount.to_string(),
        })
    }

    /// The address of the active node, where it is one of those given: OpenTofu's provider reads what it has just
    /// written from the server that answers.
    pub(crate) fn active_address(&self) -> &Address {
        let _ = self.client.find_active(); // where none is, another may do
        self.client.address()
    }

    /// Whether the active node calls itself by the address that is used. A standby or a balancer is none.
    pub(crate) fn is_at_active(&self) -> bool {
        let leader = sys::leader(&self.client);
        leader.is_ok_and(|leader| {
            let own = leader.leader_address == self.client.address().to_string();
            !leader.ha_enabled || (leader.is_self && own)
        })
    }
}
