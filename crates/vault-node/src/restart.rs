//! The command `vault-node restart`.

use std::{
    thread,
    time::{Duration, Instant},
};

use zts_cli::{Failure, Progress, note, systemctl};
use zts_net::deadline_in;

use crate::{
    cluster::Cluster,
    state::{self, Role},
};

/// The pause between two queries.
const PAUSE: Duration = Duration::from_millis(250);

/// Restarts OpenBao on this machine once all other nodes serve, and waits until it serves again.
pub(crate) fn restart_node(
    cluster: &Cluster,
    timeout: Duration,
    force: bool,
) -> Result<(), Failure> {
    if !force {
        wait_for_other_nodes(cluster, timeout)?;
    }
    let this_node = &cluster.this_node;
    note(format_args!("{this_node}: restarting {}", cluster.unit));
    restart_unit(&cluster.unit)?;
    let began = Instant::now();
    let role = wait_until_serving(cluster, timeout)?;
    let took = began.elapsed().as_secs_f64();
    note(format_args!("{this_node}: {role} again after {took:.1} s"));
    Ok(())
}

/// Waits until all other nodes serve: without one of them and this one, the quorum could be lost.
fn wait_for_other_nodes(cluster: &Cluster, timeout: Duration) -> Result<(), Failure> {
    let until = deadline_in(timeout);
    let _progress = Progress::begin_wait("waiting for the other nodes", until);
    let mut has_noted = false;
    loop {
        let states = state::query_all(cluster)?;
        let idle = cluster.others().find(|name| {
            states
                .get(name)
                .is_none_or(|state| !state.role.is_serving())
        });
        let Some(name) = idle else { return Ok(()) };
        let role = states
            .get(name)
            .map_or(Role::OutOfReach, |state| state.role);
        if Instant::now() >= until {
            return Err(Failure::failed(format!(
                "`{}` was not restarted: `{name}` is {role}, and without both the cluster may lose its quorum",
                cluster.this_node
            ))
            .hint("see `vault-node status`; `--force` restarts anyway"));
        }
        if !has_noted {
            note(format_args!("{name} is {role}: waiting for it"));
            has_noted = true;
        }
        thread::sleep(PAUSE);
    }
}

fn restart_unit(unit: &str) -> Result<(), Failure> {
    systemctl("restart", unit)
        .map_err(|failure| failure.hint(format!("see `systemctl status {unit}`")))
}

fn wait_until_serving(cluster: &Cluster, timeout: Duration) -> Result<Role, Failure> {
    let client = cluster.client(&cluster.nodes[&cluster.this_node])?;
    let until = deadline_in(timeout);
    let text = format_args!("waiting until {} serves", cluster.this_node);
    let _progress = Progress::begin_wait(text, until);
    let mut last_role = None;
    loop {
        let role = state::query_node(&client).role;
        if role.is_serving() {
            return Ok(role);
        }
        if Instant::now() >= until {
            let name = &cluster.this_node;
            return Err(
                Failure::failed(format!("`{name}` was restarted, but is {role}"))
                    .hint("restart no other node before it serves again; see `vault-node status`"),
            );
        }
        if role == Role::Sealed && last_role != Some(role) {
            note(format_args!(
                "{} is sealed: waiting until it is unsealed",
                cluster.this_node
            ));
        }
        last_role = Some(role);
        thread::sleep(PAUSE);
    }
}
