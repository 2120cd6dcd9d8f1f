//! `vault-node status`.

use std::collections::BTreeMap;

use cli::{Failure, data, warn};
use serde_json::json;

use crate::{
    cluster::Cluster,
    state::{self, Role, State},
};

/// Shows all nodes.
pub(crate) fn show(cluster: &Cluster, as_json: bool) -> Result<(), Failure> {
    let states = state::of_all(cluster)?;
    if as_json {
        let all = json!({ "cluster": cluster.name, "nodes": states });
        data(format_args!("{all:#}"))?;
    } else {
        data(table(cluster, &states).trim_end())?;
    }
    warn_of_reads(&states);
    verdict(&states)
}

/// One line for each node.
fn table(cluster: &Cluster, states: &BTreeMap<&str, State>) -> String {
    let width =
        |texts: &mut dyn Iterator<Item = &String>| texts.map(String::len).max().unwrap_or(0);
    let names = width(&mut cluster.nodes.keys());
    let addresses = width(&mut cluster.nodes.values());
    let line = |(name, state): (&&str, &State)| {
        let address = &cluster.nodes[*name];
        let here = if **name == cluster.this_node {
            "*"
        } else {
            " "
        };
        let more = state.trouble.as_ref().or(state.version.as_ref());
        let more = more.map_or("", String::as_str);
        let role = state.role;
        let reads = if state.passes_reads_on() {
            "  passes reads on"
        } else {
            ""
        };
        format!("{here} {name:names$}  {address:addresses$}  {role:15}  {more}{reads}\n")
    };
    states.iter().map(line).collect()
}

/// Hosts get their answers all the same, but from the leader alone.
fn warn_of_reads(states: &BTreeMap<&str, State>) {
    let passing = states.iter().filter(|(_, state)| state.passes_reads_on());
    let names: Vec<_> = passing.map(|(name, _)| format!("`{name}`")).collect();
    if !names.is_empty() {
        warn(format_args!(
            "reads are passed on to the leader by {}: `journalctl -u openbao | grep read-only` there says why; \
             audit devices, for one, must be declared alike on all nodes",
            names.join(", ")
        ));
    }
}

/// A failure where a node does not serve, with what to do.
fn verdict(states: &BTreeMap<&str, State>) -> Result<(), Failure> {
    let idle: Vec<_> = states
        .iter()
        .filter(|(_, state)| !state.role.serves())
        .collect();
    let Some((_, first)) = idle.first() else {
        return Ok(());
    };
    let names: Vec<_> = idle.iter().map(|(name, _)| format!("`{name}`")).collect();
    let failure = Failure::failed(format!(
        "{} of {} nodes do not serve: {}",
        idle.len(),
        states.len(),
        names.join(", ")
    ));
    Err(failure.hint(match first.role {
        Role::Sealed => {
            "unseal it: `systemctl status vault-unseal`, or `bao operator unseal` with the key shares"
        }
        Role::NotInitialised => {
            "it has not joined the cluster: `journalctl -u openbao` on it says why"
        }
        Role::NoLeader => "more than half of the nodes must run and be unsealed to elect a leader; until then nothing can be written",
        _ => "`systemctl status openbao` on that node, and the network between",
    }))
}
