//! The policy and the role of a host in OpenBao, read and written through the API.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;
use zts_cli::Failure;
use zts_infra_edit::generated::GeneratedHost;
use zts_openbao::{Error, approle, sys};

use super::connection::Server;
use crate::{
    host::HostName,
    host_access::{Difference, policy_differences, role_differences, role_parameters},
};

/// The policy and the role of a host, as OpenBao has them.
#[derive(Debug)]
pub(crate) struct HostObjects {
    /// The text of the policy.
    pub(crate) policy: Option<String>,
    /// The parameters of the role.
    pub(crate) role: Option<BTreeMap<String, Value>>,
}

/// The change of a policy or a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ObjectChange {
    Created,
    Updated,
    Unchanged,
    Removed,
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
        })
    }
}

/// The changes of policy and role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostChanges {
    pub(crate) policy: ObjectChange,
    pub(crate) role: ObjectChange,
    /// The differences of those that are updated.
    pub(crate) differences: Vec<Difference>,
}

impl HostChanges {
    pub(crate) const NONE: Self = Self {
        policy: ObjectChange::Unchanged,
        role: ObjectChange::Unchanged,
        differences: Vec::new(),
    };

    /// Returns the changes after which OpenBao has exactly `access`.
    pub(crate) fn to_access(access: &GeneratedHost, existing: &HostObjects) -> Self {
        let of_policy = existing.policy.as_deref();
        let of_policy = of_policy.map(|text| policy_differences(access, text));
        let of_role = existing.role.as_ref();
        let of_role = of_role.map(|role| role_differences(access, role));
        let change = |differences: &Option<Vec<Difference>>| match differences.as_deref() {
            None => ObjectChange::Created,
            Some([]) => ObjectChange::Unchanged,
            Some(_) => ObjectChange::Updated,
        };
        Self {
            policy: change(&of_policy),
            role: change(&of_role),
            differences: [of_policy, of_role]
                .into_iter()
                .flatten()
                .flatten()
                .collect(),
        }
    }

    /// Returns the changes after which OpenBao has neither policy nor role.
    pub(crate) fn to_removal(existing: &HostObjects) -> Self {
        let change = |exists| {
            if exists {
                ObjectChange::Removed
            } else {
                ObjectChange::Unchanged
            }
        };
        Self {
            policy: change(existing.policy.is_some()),
            role: change(existing.role.is_some()),
            differences: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

/// Reads the policy and the role of a host.
pub(crate) fn read_host(server: &Server, name: &HostName) -> Result<HostObjects, Failure> {
    let policy = sys::read_policy(&server.client, &format!("host-{name}"));
    Ok(HostObjects {
        policy: if_found(policy)?,
        role: read_role(server, name)?,
    })
}

/// Reads the parameters of a host's role.
pub(super) fn read_role(
    server: &Server,
    name: &HostName,
) -> Result<Option<BTreeMap<String, Value>>, Failure> {
    let mount = &server.approle_mount;
    if_found(approle::read_role(&server.client, mount, name.as_str()))
}

fn if_found<T>(result: Result<T, Error>) -> Result<Option<T>, Failure> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes the policy and the role that `changes` name.
pub(crate) fn write_host(
    server: &Server,
    access: &GeneratedHost,
    changes: &HostChanges,
) -> Result<(), Failure> {
    let (client, policy, role) = (&server.client, access.policy_name(), &access.name);
    if changes.policy != ObjectChange::Unchanged {
        sys::write_policy(client, &policy, &access.policy()).map_err(|error| {
            Failure::from(error).context(format_args!("the policy `{policy}` was not written"))
        })?;
    }
    if changes.role != ObjectChange::Unchanged {
        let parameters = role_parameters(access);
        approle::write_role(client, &server.approle_mount, role, &parameters).map_err(|error| {
            Failure::from(error).context(format_args!("the role `{role}` was not written"))
        })?;
    }
    Ok(())
}

/// Deletes the role and the policy that `changes` name. The role is deleted first: without its
/// policy it would still allow logins.
pub(crate) fn delete_host(
    server: &Server,
    name: &HostName,
    changes: &HostChanges,
) -> Result<(), Failure> {
    let client = &server.client;
    if changes.role == ObjectChange::Removed {
        approle::delete_role(client, &server.approle_mount, name.as_str()).map_err(|error| {
            Failure::from(error).context(format_args!("the role `{name}` was not deleted"))
        })?;
    }
    if changes.policy == ObjectChange::Removed {
        sys::delete_policy(client, &format!("host-{name}")).map_err(|error| {
            Failure::from(error).context(format_args!("the policy `host-{name}` was not deleted"))
        })?;
    }
    Ok(())
}
