//! The cluster, and which of its servers is active: no other takes or restores a snapshot.

use std::str::FromStr;

use cli::Failure;
use openbao::{Address, Attempt, Client, Error, Settings, Trouble, destination, sys};

/// How much is kept of what a server says of itself, in letters: it goes into descriptions and messages.
const LONGEST: usize = 200;

/// The active server.
pub(crate) struct Leader {
    pub(crate) client: Client,
    pub(crate) cluster_name: String,
    pub(crate) cluster_id: String,
    pub(crate) version: String,
}

/// Why there is none now.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) failure: Failure,
    /// Whether looking again soon may help.
    pub(crate) may_pass: bool,
}

/// Finds the active server of the cluster that `settings` lead to, and asks it who it is.
///
/// # Errors
/// No server answers, or none is active.
pub(crate) fn leader(settings: &Settings) -> Result<Leader, Missing> {
    let address = find(settings)?;
    let client = alone(settings, address).map_err(missing)?;
    let status = sys::seal_status(&client).map_err(missing)?;
    if status.sealed || status.cluster_id.is_empty() {
        let trouble = if status.initialized {
            Trouble::Sealed
        } else {
            Trouble::NotInitialized
        };
        return Err(missing(unusable(client.address(), trouble)));
    }
    let bounded = |text: String| text.chars().take(LONGEST).collect();
    Ok(Leader {
        client,
        cluster_name: bounded(status.cluster_name),
        cluster_id: bounded(status.cluster_id),
        version: bounded(status.version),
    })
}

/// The address of the active server: one that says of itself that it is, else the one that another points to,
/// which may be reachable from inside the cluster only.
fn find(settings: &Settings) -> Result<Address, Missing> {
    let (mut pointed_to, mut troubles) = (None, Vec::new());
    for address in &settings.addresses {
        let asked = alone(settings, address.clone()).and_then(|client| sys::leader(&client));
        match asked {
            Ok(leader) if leader.is_active() => return Ok(address.clone()),
            Ok(leader) => {
                if let Ok(to) = Address::from_str(&leader.leader_address) {
                    pointed_to = Some((address, to)); // empty while there is none
                }
            }
            Err(Error::Unavailable { attempts }) => troubles.extend(attempts),
            Err(other) => return Err(missing(other)),
        }
    }
    if let Some((from, to)) = pointed_to {
        let allowed = destination::check(settings, from, &to);
        allowed.map_err(|astray| missing(unusable(from, astray.into())))?;
        return Ok(to);
    }
    if troubles.len() == settings.addresses.len() {
        return Err(missing(Error::Unavailable { attempts: troubles }));
    }
    Err(Missing {
        failure: Failure::failed("the OpenBao cluster has no active server now"),
        may_pass: true,
    })
}

fn alone(settings: &Settings, address: Address) -> Result<Client, Error> {
    let mut settings = settings.clone();
    settings.addresses = vec![address];
    settings.namespace = None; // snapshots are the root namespace's
    Client::new(settings)
}

fn unusable(address: &Address, trouble: Trouble) -> Error {
    let attempt = Attempt {
        address: address.clone(),
        trouble,
    };
    Error::Unavailable {
        attempts: vec![attempt],
    }
}

pub(crate) fn missing(error: Error) -> Missing {
    Missing {
        may_pass: error.is_transient(),
        failure: Failure::from(error),
    }
}
