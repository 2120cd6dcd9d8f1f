//! The secret ids of a host: issued wrapped, identified by their metadata, destroyed by their
//! accessor.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, process,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zts_cli::{Failure, shell_word};
use zts_openbao::{Error, approle, wrapping};

use super::connection::Server;
use crate::{failure::append_hint, host::HostName};

/// The metadata that marks a secret id as issued by create-host.
const ISSUER: (&str, &str) = ("issued-by", "create-host");
/// The metadata with the host's name.
const HOST: &str = "host";
/// The metadata with the run that issued a secret id, which finds it again if the response was
/// lost.
const RUN: &str = "run";

/// The metadata with the environment of the host.
const ENVIRONMENT: &str = "environment";

/// The metadata with the origin of the host's files.
const FILES: &str = "files";

/// The origin of a host's files and entries. `--remove` removes only those that create-host made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOrigin {
    /// create-host made them.
    Created,
    /// The host existed before.
    Enrolled,
}

impl FileOrigin {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Enrolled => "enrolled",
        }
    }
}

/// The accessor of a secret id, which can destroy it without being it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accessor(String);

impl fmt::Display for Accessor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A secret id on its way to its host.
#[derive(Debug)]
pub(crate) struct WrappedSecretId {
    pub(crate) accessor: Accessor,
    /// The single-use token that gives role id and secret id.
    pub(crate) wrapping_token: SecretString,
}

/// The secret ids that a host has.
#[derive(Debug, Default)]
pub(crate) struct SecretIds {
    /// The accessors of those that create-host issued.
    pub(crate) ours: Vec<Accessor>,
    /// The number of all others.
    pub(crate) others: usize,
    /// The origin of the host's files, if a secret id that create-host issued has it.
    pub(crate) origin: Option<FileOrigin>,
    /// The environments that the metadata of those of create-host names.
    pub(crate) environments: BTreeSet<String>,
}

impl SecretIds {
    /// Lists the secret ids of a host's role, and refuses those of another environment.
    pub(crate) fn of_host(
        server: &Server,
        name: &HostName,
        has_role: bool,
    ) -> Result<Self, Failure> {
        if !has_role {
            return Ok(Self::default());
        }
        let secret_ids = Self::list(server, name)?;
        secret_ids.check_environment(server, name)?;
        Ok(secret_ids)
    }

    fn list(server: &Server, name: &HostName) -> Result<Self, Failure> {
        let mut secret_ids = Self::default();
        for listed in list_secret_ids(server, name)? {
            if listed.has(ISSUER.0, ISSUER.1) && listed.has(HOST, name.as_str()) {
                secret_ids.origin = secret_ids.origin.or(listed.origin());
                let environment = listed.metadata.get(ENVIRONMENT).cloned();
                secret_ids.environments.extend(environment);
                secret_ids.ours.push(listed.accessor);
            } else {
                secret_ids.others += 1;
            }
        }
        Ok(secret_ids)
    }

    /// Refuses the secret ids of another environment: its host uses the role.
    fn check_environment(&self, server: &Server, name: &HostName) -> Result<(), Failure> {
        let own = server.environment.as_ref();
        let Some(other) = self.environments.iter().find(|other| Some(*other) != own) else {
            return Ok(());
        };
        let (mount, flag) = (&server.approle_mount, server.namespace_flag());
        let run = own.map_or_else(
            || "no environment".to_owned(),
            |own| format!("the environment `{own}`"),
        );
        Err(Failure::failed(format_args!(
            "the role `{name}` at `auth/{mount}/` is that of a host of the environment `{other}`, and this run is for {run}"
        ))
        .hint(format!(
            "give `--environment {other}`, or choose another name; if `{other}` is a former name of that environment: \
             `bao delete{flag} auth/{mount}/role/{name}`, and run the same command again"
        )))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.others == 0
    }

    /// Destroys those that create-host issued, and returns their number. They allow no more logins,
    /// and a wrapping token that gives one of them is worthless.
    pub(crate) fn destroy(&self, server: &Server, name: &HostName) -> Result<usize, Failure> {
        for accessor in &self.ours {
            destroy_secret_id(server, name, accessor)?;
        }
        Ok(self.ours.len())
    }
}

/// A secret id as OpenBao lists it.
struct ListedSecretId {
    accessor: Accessor,
    metadata: BTreeMap<String, String>,
}

impl ListedSecretId {
    fn has(&self, key: &str, value: &str) -> bool {
        self.metadata.get(key).is_some_and(|actual| actual == value)
    }

    fn origin(&self) -> Option<FileOrigin> {
        [FileOrigin::Created, FileOrigin::Enrolled]
            .into_iter()
            .find(|origin| self.has(FILES, origin.name()))
    }
}

fn list_secret_ids(server: &Server, name: &HostName) -> Result<Vec<ListedSecretId>, Error> {
    let (client, mount) = (&server.client, server.approle_mount.as_str());
    let mut listed = Vec::new();
    for accessor in approle::secret_id_accessors(client, mount, name.as_str())? {
        // a secret id may have expired since the listing
        if let Some(info) = approle::secret_id_info(client, mount, name.as_str(), &accessor)? {
            listed.push(ListedSecretId {
                accessor: Accessor(accessor),
                metadata: info.metadata.unwrap_or_default(),
            });
        }
    }
    Ok(listed)
}

fn destroy_secret_id(server: &Server, name: &HostName, accessor: &Accessor) -> Result<(), Error> {
    let mount = &server.approle_mount;
    approle::destroy_secret_id(&server.client, mount, name.as_str(), &accessor.0)
}

/// Issues a secret id and wraps it together with the role id. If that fails, the secret id is
/// destroyed again, because nobody has it.
pub(crate) fn issue_secret_id(
    server: &Server,
    name: &HostName,
    origin: Option<FileOrigin>,
    ttl: Duration,
) -> Result<WrappedSecretId, Failure> {
    let (client, mount) = (&server.client, server.approle_mount.as_str());
    let role_id = approle::role_id(client, mount, name.as_str())?;
    let run = unique_run_id();
    let mut metadata = BTreeMap::from([(HOST, name.as_str()), ISSUER, (RUN, run.as_str())]);
    metadata.extend(origin.map(|origin| (FILES, origin.name())));
    let environment = server.environment.as_deref();
    metadata.extend(environment.map(|environment| (ENVIRONMENT, environment)));
    let issued = approle::issue_secret_id(client, mount, name.as_str(), &metadata)
        .map_err(|error| withdraw_by_run(server, name, &run, error))?;
    let accessor = Accessor(issued.secret_id_accessor);
    let payload = json!({
        "role_id": role_id.expose_secret(),
        "secret_id": issued.secret_id.expose_secret(),
    });
    match wrapping::wrap(client, &payload, ttl) {
        Ok(wrapped) => Ok(WrappedSecretId {
            accessor,
            wrapping_token: wrapped.token,
        }),
        Err(error) => Err(withdraw(server, name, &accessor, error.into())),
    }
}

/// Returns a text that no other run has.
fn unique_run_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |since| since.as_nanos());
    format!("{nanoseconds}-{}", process::id())
}

/// Destroys the secret id of this run if the response with its accessor was lost.
fn withdraw_by_run(server: &Server, name: &HostName, run: &str, error: Error) -> Failure {
    if !error.is_unavailable() {
        return error.into();
    }
    let failure = Failure::from(error);
    match list_secret_ids(server, name) {
        Ok(listed) => listed
            .iter()
            .filter(|listed| listed.has(RUN, run))
            .fold(failure, |failure, listed| {
                withdraw(server, name, &listed.accessor, failure)
            }),
        Err(error) => append_hint(
            failure.suffix(format_args!(
                "nor is it known whether a secret id was issued, which nobody has ({error})"
            )),
            "add `--force`, which destroys it",
        ),
    }
}

/// Destroys a secret id that did not reach its host because of `failure`.
pub(crate) fn withdraw(
    server: &Server,
    name: &HostName,
    accessor: &Accessor,
    failure: Failure,
) -> Failure {
    let Err(error) = destroy_secret_id(server, name, accessor) else {
        return failure;
    };
    let failure = failure.suffix(format_args!(
        "the new secret id, which nobody has, was not destroyed either ({error}): its accessor is `{accessor}`"
    ));
    append_hint(
        failure,
        &format!(
            "`bao write -address={}{} auth/{}/role/{name}/secret-id-accessor/destroy secret_id_accessor={}` destroys that secret id",
            server.client.address(),
            server.namespace_flag(),
            server.approle_mount,
            shell_word(&accessor.0)
        ),
    )
}
