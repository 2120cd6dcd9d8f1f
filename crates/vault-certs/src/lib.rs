//! Makes OpenBao's certificates and replaces them before they expire.
//!
//! A cluster's CA is derived from a secret file and the time ([`authority`], [`period`]). So nodes
//! with the same file have the same CA at the same time, without exchanging it. [`renew`] keeps a
//! node's files current, and [`fetch`] a client's bundle.

mod authority;
mod bundle;
mod certificate;
mod cli;
mod fetch;
mod file;
mod kubernetes;
mod period;
mod renew;
mod show;

pub use cli::Arguments;

use cli::Command;
use zts_cli::Failure;

/// Runs the program.
///
/// # Errors
/// An invalid authority file, files that cannot be written, servers that do not answer.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Authority { output, period } => authority::create_file(output.as_deref(), period),
        Command::Renew(renew) => renew::run(&renew),
        Command::Fetch(fetch) => fetch::run(&fetch),
        Command::Kubernetes(arguments) => kubernetes::run(&arguments),
        Command::Show { directory, json } => show::run(&directory, json),
    }
}
