//! The cluster's active node: only this one takes and restores snapshots.

use std::{fmt, str::FromStr};

use zts_cli::Failure;
use zts_openbao::{
    Address, Client, Error, NodeError, Settings, destination::check_destination, sys,
};

/// The limit of texts that a server sends about itself, in letters. They go into descriptions and
/// messages.
const MAX_TEXT: usize = 200;

/// A connection to the active node, and its cluster.
pub(crate) struct ActiveNode {
    pub(crate) client: Client,
    pub(crate) cluster_name: String,
    pub(crate) cluster_id: String,
    pub(crate) version: String,
}

/// The failure of one attempt.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) failure: Failure,
    /// Is true if another attempt may succeed.
    pub(crate) is_transient: bool,
}

impl AttemptFailure {
    pub(crate) fn permanent(failure: Failure) -> Self {
        Self {
            failure,
            is_transient: false,
        }
    }

    pub(crate) fn transient(failure: Failure) -> Self {
        Self {
            failure,
            is_transient: true,
        }
    }
}

impl fmt::Display for AttemptFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.failure.message())
    }
}

impl From<Error> for AttemptFailure {
    fn from(error: Error) -> Self {
        Self {
            is_transient: error.is_transient(),
            failure: Failure::from(error),
        }
    }
}

/// Connects to the active node of the cluster that `settings` lead to, and reads its status.
///
/// # Errors
/// No server answers, or none is active.
pub(crate) fn connect_active_node(settings: &Settings) -> Result<ActiveNode, AttemptFailure> {
    let address = locate_active_node(settings)?;
    let client = connect_to(settings, address)?;
    let status = sys::seal_status(&client)?;
    if status.sealed || status.cluster_id.is_empty() {
        let error = if status.initialized {
            NodeError::Sealed
        } else {
            NodeError::NotInitialized
        };
        return Err(Error::unavailable(client.address(), error).into());
    }
    let bounded = |text: String| text.chars().take(MAX_TEXT).collect();
    Ok(ActiveNode {
        client,
        cluster_name: bounded(status.cluster_name),
        cluster_id: bounded(status.cluster_id),
        version: bounded(status.version),
    })
}

/// Returns the address of a node that reports that it is active, or else the address that a standby
/// names, which may be reachable only from inside the cluster.
fn locate_active_node(settings: &Settings) -> Result<Address, AttemptFailure> {
    let (mut named, mut attempts) = (Vec::new(), Vec::new());
    for address in &settings.addresses {
        match connect_to(settings, address.clone()).and_then(|client| sys::leader(&client)) {
            Ok(leader) if leader.is_active() => return Ok(address.clone()),
            Ok(leader) => {
                // the address is empty while there is no active node
                if let Ok(active) = Address::from_str(&leader.leader_address) {
                    named.push((address, active));
                }
            }
            Err(Error::Unavailable { attempts: failed }) => attempts.extend(failed),
            Err(other) => return Err(other.into()),
        }
    }
    // one standby that names a foreign address does not discredit the others
    let mut checked = named.into_iter().map(|(standby, active)| {
        match check_destination(settings, standby, &active) {
            Ok(()) => Ok(active),
            Err(rejected) => Err(Error::unavailable(standby, rejected)),
        }
    });
    if let Some(first) = checked.next() {
        return Ok(checked.fold(first, Result::or)?);
    }
    if attempts.len() == settings.addresses.len() {
        return Err(Error::Unavailable { attempts }.into());
    }
    Err(AttemptFailure::transient(Failure::failed(
        "the OpenBao cluster has no active server now",
    )))
}

/// Returns a client of this address alone, without a namespace: snapshots belong to the root
/// namespace.
fn connect_to(settings: &Settings, address: Address) -> Result<Client, Error> {
    let mut settings = settings.clone();
    settings.addresses = vec![address];
    settings.namespace = None;
    Client::new(settings)
}
