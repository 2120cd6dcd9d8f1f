//! Policy and role through the API.

use std::{collections::BTreeMap, fmt};

use cli::Failure;
use infra_edit::generated::GeneratedHost;
use openbao::{Error, approle, sys};
use serde::Serialize;
use serde_json::Value;

use super::{Held, Server};
use crate::{host::HostName, model};

/// What became of something in OpenBao.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// It was not there.
    Created,
    /// It was there, but otherwise.
    Updated,
    /// It was there as it should be, or not there as it should not be.
    Unchanged,
    /// It was there.
    Removed,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
        })
    }
}

/// What became of policy and role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) policy: Step,
    pub(crate) role: Step,
}

impl Outcome {
    /// What is to happen so that OpenBao holds `rights` and nothing else.
    pub(crate) fn of(rights: &GeneratedHost, held: &Held) -> Self {
        let policy = match &held.policy {
            None => Step::Created,
            Some(text) if *text == rights.policy() => Step::Unchanged,
            Some(_) => Step::Updated,
        };
        let role = match &held.role {
            None => Step::Created,
            Some(role) if model::difference(rights, role).is_none() => Step::Unchanged,
            Some(_) => Step::Updated,
        };
        Self { policy, role }
    }

    /// What is to happen so that OpenBao holds nothing.
    pub(crate) fn of_removal(held: &Held) -> Self {
        let step = |is_there| {
            if is_there {
                Step::Removed
            } else {
                Step::Unchanged
            }
        };
        Self {
            policy: step(held.policy.is_some()),
            role: step(held.role.is_some()),
        }
    }

    pub(crate) fn changes(self) -> bool {
        [self.policy, self.role]
            .iter()
            .any(|step| *step != Step::Unchanged)
    }
}

/// What OpenBao holds of a host.
pub(crate) fn read(server: &Server, name: &HostName) -> Result<Held, Failure> {
    let policy = sys::read_policy(&server.client, &format!("host-{name}"));
    Ok(Held {
        policy: there(policy)?,
        ..read_role_only(server, name)?
    })
}

/// The same without the policy, for a token that may not read it.
pub(super) fn read_role_only(server: &Server, name: &HostName) -> Result<Held, Failure> {
    let role = approle::read_role(&server.client, &server.approle, name.as_str());
    Ok(Held {
        policy: None,
        role: there::<BTreeMap<String, Value>>(role)?,
        doubt: None,
    })
}

fn there<T>(read: Result<T, Error>) -> Result<Option<T>, Failure> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes what differs.
pub(crate) fn apply(
    server: &Server,
    rights: &GeneratedHost,
    outcome: Outcome,
) -> Result<(), Failure> {
    let (client, policy) = (&server.client, rights.policy_name());
    if outcome.policy != Step::Unchanged {
        sys::write_policy(client, &policy, &rights.policy()).map_err(|error| {
            Failure::from(error).context(format_args!("the policy `{policy}` was not written"))
        })?;
    }
    if outcome.role != Step::Unchanged {
        approle::write_role(client, &server.approle, &rights.name, &model::role(rights)).map_err(
            |error| {
                Failure::from(error)
                    .context(format_args!("the role `{}` was not written", rights.name))
            },
        )?;
    }
    Ok(())
}

/// Deletes what is there: the role first, for a policy that is gone leaves a role without rights.
pub(crate) fn remove(server: &Server, name: &HostName, outcome: Outcome) -> Result<(), Failure> {
    let client = &server.client;
    if outcome.role == Step::Removed {
        approle::delete_role(client, &server.approle, name.as_str()).map_err(|error| {
            Failure::from(error).context(format_args!("the role `{name}` was not deleted"))
        })?;
    }
    if outcome.policy == Step::Removed {
        sys::delete_policy(client, &format!("host-{name}")).map_err(|error| {
            Failure::from(error).context(format_args!("the policy `host-{name}` was not deleted"))
        })?;
    }
    Ok(())
}
