//! `vault-node restart`.

use std::{
    thread,
    time::{Duration, Instant},
};

use cli::{Failure, note, systemctl};
use openbao::deadline_in;

use crate::{
    cluster::Cluster,
    state::{self, Role},
};

/// How often a node is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// Restarts OpenBao on this machine once all other nodes serve, and waits until it serves again.
pub(crate) fn restart(cluster: &Cluster, timeout: Duration, force: bool) -> Result<(), Failure> {
    if !force {
        wait_for_the_others(cluster, timeout)?;
    }
    let this_node = &cluster.this_node;
    note(format_args!("{this_node}: restarts {}", cluster.unit));
    restart_unit(&cluster.unit)?;
    let began = Instant::now();
    let role = wait_until_it_serves(cluster, timeout)?;
    let took = began.elapsed().as_secs_f64();
    note(format_args!("{this_node}: {role} again after {took:.1} s"));
    Ok(())
}

/// A node that is down already, and this one: the cluster could lose its quorum.
fn wait_for_the_others(cluster: &Cluster, timeout: Duration) -> Result<(), Failure> {
    let until = deadline_in(timeout);
    let mut said = false;
    loop {
        let states = state::of_all(cluster)?;
        let idle = cluster
            .others()
            .find(|name| states.get(name).is_none_or(|state| !state.role.serves()));
        let Some(name) = idle else { return Ok(()) };
        let role = states
            .get(name)
            .map_or(Role::OutOfReach, |state| state.role);
        if Instant::now() >= until {
            return Err(Failure::failed(format!(
                "`{}` was not restarted: `{name}` is {role}, and without both the cluster may lose its quorum",
                cluster.this_node
            ))
            .hint("see `vault-node status`; `--force` restarts all the same"));
        }
        if !said {
            note(format_args!("{name} is {role}: waits for it"));
            said = true;
        }
        thread::sleep(PAUSE);
    }
}

fn restart_unit(unit: &str) -> Result<(), Failure> {
    systemctl("restart", unit)
        .map_err(|failure| failure.hint(format!("`systemctl status {unit}` says more")))
}

fn wait_until_it_serves(cluster: &Cluster, timeout: Duration) -> Result<Role, Failure> {
    let client = cluster.client(&cluster.nodes[&cluster.this_node])?;
    let until = deadline_in(timeout);
    let mut said = None;
    loop {
        let role = state::of(&client).role;
        if role.serves() {
            return Ok(role);
        }
        if Instant::now() >= until {
            let name = &cluster.this_node;
            return Err(
                Failure::failed(format!("`{name}` was restarted, but is {role}"))
                    .hint("restart no other node before it serves again; see `vault-node status`"),
            );
        }
        if role == Role::Sealed && said != Some(role) {
            note(format_args!(
                "{} is sealed: waits until somebody, or vault-unseal, unseals it",
                cluster.this_node
            ));
        }
        said = Some(role);
        thread::sleep(PAUSE);
    }
}
