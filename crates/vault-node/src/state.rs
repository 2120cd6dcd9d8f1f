//! Queries the states of nodes.

use std::{collections::BTreeMap, fmt, thread};

use serde::Serialize;
use zts_cli::Failure;
use zts_openbao::{Client, sys};

use crate::cluster::Cluster;

/// The role of a node in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// The active node: it serves reads and writes.
    Leader,
    /// A standby whose active node answers.
    Standby,
    /// An unsealed node without an active one: during an election, without quorum, or cut off.
    NoLeader,
    /// A sealed node.
    Sealed,
    /// A node without data: it was never initialised, and has not joined a cluster.
    NotInitialised,
    /// A node that does not answer, or not as OpenBao does.
    OutOfReach,
}

impl Role {
    /// Returns whether the node serves requests.
    pub(crate) fn is_serving(self) -> bool {
        matches!(self, Self::Leader | Self::Standby)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Leader => "leader",
            Self::Standby => "standby",
            Self::NoLeader => "no leader",
            Self::Sealed => "sealed",
            Self::NotInitialised => "not initialised",
            Self::OutOfReach => "out of reach",
        })
    }
}

/// The answers of a node.
#[derive(Debug, Serialize)]
pub(crate) struct NodeState {
    pub(crate) role: Role,
    /// OpenBao's version, if it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// True if a standby answers reads itself; none if its version cannot, or it is no standby.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answers_reads: Option<bool>,
    /// The reason why it is out of reach.
    #[serde(rename = "trouble", skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    /// Its view of the cluster, if it is unsealed.
    #[serde(skip)]
    leader: Option<sys::Leader>,
}

impl NodeState {
    /// Returns whether it is a standby that forwards reads although its version could answer them.
    pub(crate) fn forwards_reads(&self) -> bool {
        self.role == Role::Standby && self.answers_reads == Some(false)
    }
}

/// Queries all nodes at once, so that one that hangs does not delay the others.
pub(crate) fn query_all(cluster: &Cluster) -> Result<BTreeMap<&str, NodeState>, Failure> {
    let clients: Vec<_> = cluster
        .nodes
        .iter()
        .map(|(name, address)| Ok((name.as_str(), cluster.client(address)?)))
        .collect::<Result<_, Failure>>()?;
    let mut states: BTreeMap<_, _> = thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter()
            .map(|(name, client)| (*name, scope.spawn(|| query_node(client))))
            .collect();
        let answers = threads.into_iter().map(|(name, thread)| {
            let panicked = |_| unreachable("the query ended in a panic".to_owned());
            (name, thread.join().unwrap_or_else(panicked))
        });
        answers.collect()
    });
    confirm_standbys(&mut states);
    Ok(states)
}

/// Changes standbys whose active node does not confirm that it is one: they name the last one for
/// good.
fn confirm_standbys(states: &mut BTreeMap<&str, NodeState>) {
    let is_confirmed = |state: &NodeState| {
        let leaders = states.values().filter_map(|other| other.leader.as_ref());
        state
            .leader
            .as_ref()
            .is_some_and(|leader| leader.serves(leaders))
    };
    let unconfirmed = states
        .iter()
        .filter(|(_, state)| state.role == Role::Standby && !is_confirmed(state));
    let unconfirmed: Vec<_> = unconfirmed.map(|(name, _)| *name).collect();
    for name in unconfirmed {
        if let Some(state) = states.get_mut(name) {
            state.role = Role::NoLeader;
        }
    }
}

/// Queries one node (API pages `sys/seal-status` and `sys/leader`).
pub(crate) fn query_node(client: &Client) -> NodeState {
    let status = match sys::seal_status(client) {
        Ok(status) => status,
        Err(error) => return unreachable(error.without_address()),
    };
    let mut answers_reads = None;
    let (role, leader) = if !status.initialized {
        (Role::NotInitialised, None)
    } else if status.sealed {
        (Role::Sealed, None)
    } else {
        match sys::leader(client) {
            Ok(leader) => {
                let role = unsealed_role(&leader);
                if role == Role::Standby && status.has_standby_reads() {
                    answers_reads = sys::answers_reads(client).ok();
                }
                (role, Some(leader))
            }
            Err(error) => return unreachable(error.without_address()),
        }
    };
    NodeState {
        role,
        version: Some(status.version),
        answers_reads,
        failure: None,
        leader,
    }
}

fn unsealed_role(leader: &sys::Leader) -> Role {
    if leader.is_active() {
        Role::Leader
    } else if leader.leader_address.is_empty() {
        Role::NoLeader
    } else {
        Role::Standby
    }
}

fn unreachable(failure: String) -> NodeState {
    NodeState {
        role: Role::OutOfReach,
        version: None,
        answers_reads: None,
        failure: Some(failure),
        leader: None,
    }
}
