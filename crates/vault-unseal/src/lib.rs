//! Watches the nodes of an OpenBao cluster and unseals those that are sealed.
//!
//! [`run`] is the whole program. [`configuration`] reads the nodes, [`shares`] reads the key
//! shares. [`service`] starts one thread for each node ([`node_watcher`]), so that a node that does
//! not answer delays no other, and reports to systemd. A thread probes its node and submits sets of
//! key shares ([`unsealing`]). [`attempts`] records the sets that the node refused.

mod attempts;
mod cli;
mod configuration;
mod log;
mod metrics;
mod node_watcher;
mod service;
mod shares;
mod unsealing;
mod watchdog;

pub use cli::Arguments;

use zts_cli::Failure;

/// Runs the program.
///
/// # Errors
/// A configuration or key shares that cannot be used; with `--once`, a node that is still sealed.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    service::lock_memory();
    if arguments.once {
        service::run_once(&arguments)
    } else {
        service::run(arguments)
    }
}
