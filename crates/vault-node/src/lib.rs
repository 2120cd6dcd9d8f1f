//! Shows the nodes of an OpenBao cluster, and restarts them one by one.
//!
//! It needs no token, which may be unavailable in an emergency: it queries each node's seal status
//! and view of the active node ([`state`]). The NixOS module writes a file with the nodes
//! ([`cluster`]).

mod cli;
mod cluster;
mod restart;
mod state;
mod status;

pub use cli::Arguments;

use cli::Command;
use cluster::Cluster;
use zts_cli::Failure;

/// Runs the program.
///
/// # Errors
/// A configuration that cannot be read, a node that does not serve (`status`), a restart that could
/// cost the quorum or failed (`restart`).
#[expect(
    clippy::needless_pass_by_value,
    reason = "`zts_cli::main` passes the arguments by value"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let cluster = Cluster::read(&arguments.config)?;
    match &arguments.command {
        Command::Status { json } => status::show_status(&cluster, *json),
        Command::Restart { timeout, force } => restart::restart_node(&cluster, *timeout, *force),
    }
}
