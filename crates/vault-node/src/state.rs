//! How a node is.

use std::{collections::BTreeMap, fmt, thread};

use cli::Failure;
use openbao::{Client, sys};
use serde::Serialize;

use crate::cluster::Cluster;

/// What a node is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// It serves reads and writes.
    Leader,
    /// It stands by, and its leader answers.
    Standby,
    /// It is unsealed, but no leader is to be seen: an election, no quorum, or a leader out of reach.
    NoLeader,
    /// It holds no key.
    Sealed,
    /// It has no data: it was never initialised, and has not joined a cluster.
    NotInitialised,
    /// It does not answer, or not as OpenBao does.
    OutOfReach,
}

impl Role {
    /// Whether clients get what they ask for.
    pub(crate) fn serves(self) -> bool {
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

/// A node, as it answered.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    /// What it is.
    pub(crate) role: Role,
    /// OpenBao's version, where it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Whether it answers reads itself, where it is a standby of a version that could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answers_reads: Option<bool>,
    /// Why it is out of reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// What it said of its leader, where it is unsealed.
    #[serde(skip)]
    leader: Option<sys::Leader>,
}

impl State {
    /// Whether it is a standby that could answer reads and passes them on.
    pub(crate) fn passes_reads_on(&self) -> bool {
        self.role == Role::Standby && self.answers_reads == Some(false)
    }
}

/// Asks all nodes at once; one that hangs delays the others by nothing.
pub(crate) fn of_all(cluster: &Cluster) -> Result<BTreeMap<&str, State>, Failure> {
    let clients: Vec<_> = cluster
        .nodes
        .iter()
        .map(|(name, address)| Ok((name.as_str(), cluster.client(address)?)))
        .collect::<Result<_, Failure>>()?;
    let mut states: BTreeMap<_, _> = thread::scope(|scope| {
        let asked: Vec<_> = clients
            .iter()
            .map(|(name, client)| (*name, scope.spawn(|| of(client))))
            .collect();
        let answers = asked.into_iter().map(|(name, thread)| {
            let gone = |_| lost("the question ended in a panic".to_owned());
            (name, thread.join().unwrap_or_else(gone))
        });
        answers.collect()
    });
    doubt_standbys(&mut states);
    Ok(states)
}

/// Only a leader that answers as such is one.
fn doubt_standbys(states: &mut BTreeMap<&str, State>) {
    let serves = |state: &State| {
        let said = states.values().filter_map(|other| other.leader.as_ref());
        state
            .leader
            .as_ref()
            .is_some_and(|leader| leader.serves(said))
    };
    let alone = states
        .iter()
        .filter(|(_, state)| state.role == Role::Standby && !serves(state));
    let alone: Vec<_> = alone.map(|(name, _)| *name).collect();
    for name in alone {
        if let Some(state) = states.get_mut(name) {
            state.role = Role::NoLeader;
        }
    }
}

/// Asks one node (API pages `sys/seal-status` and `sys/leader`).
pub(crate) fn of(client: &Client) -> State {
    let status = match sys::seal_status(client) {
        Ok(status) => status,
        Err(error) => return lost(error.without_address()),
    };
    let mut answers_reads = None;
    let (role, leader) = if !status.initialized {
        (Role::NotInitialised, None)
    } else if status.sealed {
        (Role::Sealed, None)
    } else {
        match sys::leader(client) {
            Ok(leader) => {
                let role = role_of(&leader);
                if role == Role::Standby && status.has_standby_reads() {
                    answers_reads = sys::answers_reads(client).ok();
                }
                (role, Some(leader))
            }
            Err(error) => return lost(error.without_address()),
        }
    };
    State {
        role,
        version: Some(status.version),
        answers_reads,
        trouble: None,
        leader,
    }
}

fn role_of(leader: &sys::Leader) -> Role {
    if leader.is_active() {
        Role::Leader
    } else if leader.leader_address.is_empty() {
        Role::NoLeader
    } else {
        Role::Standby
    }
}

fn lost(trouble: String) -> State {
    State {
        role: Role::OutOfReach,
        version: None,
        answers_reads: None,
        trouble: Some(trouble),
        leader: None,
    }
}
