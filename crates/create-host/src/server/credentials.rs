//! A host's secret ids: issued wrapped, found again by their metadata, destroyed by their accessor.

use std::{
    collections::BTreeMap,
    process,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cli::Failure;
use openbao::{Error, approle, wrapping};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Server;
use crate::{failure, host::HostName};

/// The metadata by which a secret id is known again.
const ISSUER: (&str, &str) = ("issued-by", "create-host");
const HOST: &str = "host";
/// Names the run that issued a secret id, which finds it again where the answer was lost.
const RUN: &str = "run";

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

    /// The accessors of the secret ids that `run` issued.
    fn of_run(server: &Server, name: &HostName, run: &str) -> Result<Vec<String>, Error> {
        let (client, mount) = (&server.client, server.approle.as_str());
        let mut found = Vec::new();
        for accessor in approle::secret_id_accessors(client, mount, name.as_str())? {
            let info = approle::secret_id_info(client, mount, name.as_str(), &accessor)?;
            let metadata = info.and_then(|info| info.metadata).unwrap_or_default();
            if metadata.get(RUN).is_some_and(|there| there == run) {
                found.push(accessor);
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

/// Issues a secret id and wraps it together with the role id. When that fails, the secret id is destroyed
/// again: nobody has it.
pub(crate) fn issue(server: &Server, name: &HostName, ttl: Duration) -> Result<Issued, Failure> {
    let (client, mount) = (&server.client, server.approle.as_str());
    let role_id = approle::role_id(client, mount, name.as_str())?;
    let run = run_id();
    let metadata = BTreeMap::from([(HOST, name.as_str()), ISSUER, (RUN, run.as_str())]);
    let issued = match approle::issue_secret_id(client, mount, name.as_str(), &metadata) {
        Ok(issued) => issued,
        Err(error) => return Err(withdraw_unseen(server, name, &run, error)),
    };
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

/// A text that no other run has.
fn run_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |since| since.as_nanos());
    format!("{nanoseconds}-{}", process::id())
}

/// Destroys what `run` issued, where the answer with it was lost.
fn withdraw_unseen(server: &Server, name: &HostName, run: &str, error: Error) -> Failure {
    if !error.is_unavailable() {
        return error.into();
    }
    let failure = Failure::from(error);
    match SecretIds::of_run(server, name, run) {
        Ok(accessors) => accessors.iter().fold(failure, |failure, accessor| {
            withdraw(server, name, accessor, failure)
        }),
        Err(error) => failure::and_then(
            failure.suffix(format_args!(
                "whether a secret id was issued, which nobody has, is not known either ({error})"
            )),
            "add `--force`, which destroys it",
        ),
    }
}

/// Destroys a secret id that did not reach its host because of `failure`.
pub(crate) fn withdraw(
    server: &Server,
    name: &HostName,
    accessor: &str,
    failure: Failure,
) -> Failure {
    let Err(error) = destroy(server, name, accessor) else {
        return failure;
    };
    let failure = failure.suffix(format_args!(
        "the new secret id, which nobody has, could not be destroyed either ({error}): its accessor is `{accessor}`"
    ));
    failure::and_then(
        failure,
        &format!(
            "`bao write -address={} auth/{}/role/{name}/secret-id-accessor/destroy secret_id_accessor={accessor}` destroys that secret id",
            server.client.address(),
            server.approle
        ),
    )
}
