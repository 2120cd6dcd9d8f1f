//! A host's secret ids: issued wrapped, found again by their metadata, destroyed by their accessor.

use std::collections::BTreeMap;

use cli::Failure;
use openbao::{Error, approle, wrapping};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Server;
use crate::host::HostName;

/// The metadata by which a secret id is known again.
const ISSUER: (&str, &str) = ("issued-by", "create-host");
const HOST: &str = "host";

/// A secret id on its way to its host.
#[derive(Debug)]
pub(crate) struct Issued {
    /// Destroys the secret id without being it.
    pub(crate) accessor: String,
    /// The single-use token with role id and secret id in it.
    pub(crate) wrapping_token: SecretString,
}

/// The secret ids that a host has now.
#[derive(Debug, Default)]
pub(crate) struct SecretIds {
    /// The accessors of those that create-host issued.
    pub(crate) ours: Vec<String>,
    /// How many others there are.
    pub(crate) others: usize,
}

impl SecretIds {
    /// Asks for them; a host without a role has none.
    pub(crate) fn list(server: &Server, name: &HostName) -> Result<Self, Failure> {
        let mut found = Self::default();
        let accessors =
            approle::secret_id_accessors(&server.client, &server.approle, name.as_str())?;
        for accessor in accessors {
            let info =
                approle::secret_id_info(&server.client, &server.approle, name.as_str(), &accessor)?;
            let Some(info) = info else {
                continue; // gone since the listing
            };
            if is_ours(&info.metadata.unwrap_or_default(), name) {
                found.ours.push(accessor);
            } else {
                found.others += 1;
            }
        }
        Ok(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.others == 0
    }

    /// Destroys those that create-host issued: whoever has them cannot log in any more, and a wrapping
    /// token with one of them in it is worth nothing.
    pub(crate) fn destroy(&self, server: &Server, name: &HostName) -> Result<usize, Failure> {
        for accessor in &self.ours {
            destroy(server, name, accessor)?;
        }
        Ok(self.ours.len())
    }
}

fn is_ours(metadata: &BTreeMap<String, String>, name: &HostName) -> bool {
    let is = |key: &str, value: &str| metadata.get(key).is_some_and(|there| there == value);
    is(ISSUER.0, ISSUER.1) && is(HOST, name.as_str())
}

/// Destroys one secret id.
pub(crate) fn destroy(server: &Server, name: &HostName, accessor: &str) -> Result<(), Error> {
    approle::destroy_secret_id(&server.client, &server.approle, name.as_str(), accessor)
}

/// Issues a secret id and wraps it together with the role id. When the wrapping fails, the secret id is
/// destroyed again: nobody has it.
pub(crate) fn issue(
    server: &Server,
    name: &HostName,
    ttl: std::time::Duration,
) -> Result<Issued, Failure> {
    let (client, mount) = (&server.client, server.approle.as_str());
    let role_id = approle::role_id(client, mount, name.as_str())?;
    let metadata = BTreeMap::from([(HOST, name.as_str()), ISSUER]);
    let issued = approle::issue_secret_id(client, mount, name.as_str(), &metadata)?;
    let payload = json!({
        "role_id": role_id.expose_secret(),
        "secret_id": issued.secret_id.expose_secret(),
    });
    match wrapping::wrap(client, &payload, ttl) {
        Ok(wrapped) => Ok(Issued {
            accessor: issued.secret_id_accessor,
            wrapping_token: wrapped.token,
        }),
        Err(error) => Err(withdraw(
            server,
            name,
            &issued.secret_id_accessor,
            error.into(),
        )),
    }
}

/// Destroys a secret id that did not reach its host because of `failure`.
pub(crate) fn withdraw(
    server: &Server,
    name: &HostName,
    accessor: &str,
    failure: Failure,
) -> Failure {
    match destroy(server, name, accessor) {
        Ok(()) => failure,
        Err(error) => failure.suffix(format_args!(
            "the new secret id, which nobody has, could not be destroyed either ({error}): `--force` will do that"
        )),
    }
}
