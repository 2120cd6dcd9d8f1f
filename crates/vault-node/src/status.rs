//! The command `vault-node status`.

use std::collections::BTreeMap;

use serde_json::json;
use zts_cli::{Failure, data, format_table, quoted_list, warn};

use crate::{
    cluster::Cluster,
    state::{self, NodeState, Role},
};

/// Shows all nodes; fails if one does not serve requests.
pub(crate) fn show_status(cluster: &Cluster, as_json: bool) -> Result<(), Failure> {
    let states = state::query_all(cluster)?;
    if as_json {
        let all = json!({ "cluster": cluster.name, "nodes": states });
        data(format_args!("{all:#}"))?;
    } else {
        data(table(cluster, &states))?;
    }
    warn_of_forwarded_reads(&states);
    check_serving(&states)
}

/// Formats one line for each node.
fn table(cluster: &Cluster, states: &BTreeMap<&str, NodeState>) -> String {
    let row = |(name, state): (&&str, &NodeState)| {
        let address = &cluster.nodes[*name];
        let here = if **name == cluster.this_node {
            "*"
        } else {
            " "
        };
        let more = state.failure.as_ref().or(state.version.as_ref());
        let more = more.map_or("", String::as_str);
        let reads = if state.forwards_reads() {
            "forwards reads"
        } else {
            ""
        };
        [
            format!("{here} {name}"),
            address.clone(),
            state.role.to_string(),
            more.to_owned(),
            reads.to_owned(),
        ]
    };
    let rows: Vec<_> = states.iter().map(row).collect();
    format_table(&rows).join("\n")
}

/// Warns of standbys that leave all reads to the active node.
fn warn_of_forwarded_reads(states: &BTreeMap<&str, NodeState>) {
    let forwarding = states.iter().filter(|(_, state)| state.forwards_reads());
    let names = quoted_list(forwarding.map(|(name, _)| name));
    if !names.is_empty() {
        warn(format_args!(
            "reads are forwarded to the leader by {names}: see `journalctl -u openbao | grep read-only` there for the reason; \
             audit devices must be declared alike on all nodes"
        ));
    }
}

/// Fails if a node does not serve requests, with the remedy for the first one.
fn check_serving(states: &BTreeMap<&str, NodeState>) -> Result<(), Failure> {
    let idle: Vec<_> = states
        .iter()
        .filter(|(_, state)| !state.role.is_serving())
        .collect();
    let Some((_, first)) = idle.first() else {
        return Ok(());
    };
    let failure = Failure::failed(format!(
        "{} of {} nodes do not serve: {}",
        idle.len(),
        states.len(),
        quoted_list(idle.iter().map(|(name, _)| name))
    ));
    Err(failure.hint(match first.role {
        Role::Sealed => {
            "unseal it: `systemctl status vault-unseal`, or `bao operator unseal` with the key shares"
        }
        Role::NotInitialised => {
            "it has not joined the cluster: see `journalctl -u openbao` on it"
        }
        Role::NoLeader => "more than half of the nodes must run and be unsealed to elect a leader; until then nothing can be written",
        _ => "check `systemctl status openbao` on that node, and the network",
    }))
}
