//! Shows the nodes of an OpenBao cluster, and restarts them one by one.
//!
//! It asks only what needs no token, so that it works on the night when nobody has one: each node's
//! seal status and whom it takes for the leader ([`state`]). Which nodes there are stands in a file that
//! the NixOS module writes ([`cluster`]).

mod cli;
mod cluster;
mod restart;
mod state;
mod status;

pub use cli::Arguments;

use ::cli::Failure;
use cli::Command;
use cluster::Cluster;

/// Runs the program.
///
/// # Errors
/// A configuration that cannot be read, a cluster that is not well (`status`), or a restart that would
/// harm it or did not end well (`restart`).
#[expect(
    clippy::needless_pass_by_value,
    reason = "`cli::main` hands the arguments over"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let cluster = Cluster::read(&arguments.config)?;
    match &arguments.command {
        Command::Status { json } => status::show(&cluster, *json),
        Command::Restart { timeout, force } => restart::restart(&cluster, *timeout, *force),
    }
}
