//! Makes OpenBao's certificates and replaces them before they end.
//!
//! The CA of a cluster is derived from one secret file and the calendar ([`authority`], [`calendar`]), so
//! that nodes which have the same file have the same CA at the same time, and need not speak with each
//! other about it. [`renewal`] keeps a node's files; [`following`] keeps a client's bundle.

mod authority;
mod bundle;
mod calendar;
mod certificate;
mod cli;
mod file;
mod following;
mod kubernetes;
mod renewal;
mod show;

pub use cli::Arguments;

use ::cli::Failure;
use cli::Command;

/// Runs the program.
///
/// # Errors
/// What a person is told: an authority file that is none, files that cannot be written, servers that
/// cannot be asked.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Authority { output, period } => authority::make(output.as_deref(), period),
        Command::Renew(renew) => renewal::renew(&renew),
        Command::Fetch(fetch) => following::fetch(&fetch),
        Command::Kubernetes(arguments) => kubernetes::run(&arguments),
        Command::Show { directory } => show::print(&directory),
    }
}
