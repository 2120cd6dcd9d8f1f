//! Looks after a host's declared secrets: puts new versions in place and takes them back where services
//! do not come up with them, tries again what could not be fetched, removes what is no longer declared,
//! and tells how things stand.
//!
//! [`run`] is the whole program. How a secret becomes files is the library `delivery`'s; what is asked
//! of systemd goes through its program `systemctl`.

mod clean;
mod cli;
mod file;
mod host;
mod metrics;
mod retry;
mod rotate;
mod status;
mod systemd;
mod words;

pub use cli::{Arguments, Command, Rotate};

use ::cli::Failure;
use delivery::Declarations;

/// Runs the program.
///
/// # Errors
/// What a person is told when the job was not done; see [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = &arguments.declarations;
    match arguments.command {
        Command::Rotate(rotate) => rotate::run(&rotate, &Declarations::read(file)?),
        Command::Retry { name } => retry::run(&name, file),
        Command::Clean { state } => clean::run(&state, &Declarations::read(file)?),
        Command::Metrics { output, state_dir } => {
            metrics::run(&Declarations::read(file)?, &state_dir, output.as_deref())
        }
        Command::Status { json, state_dir } => {
            status::run(&Declarations::read(file)?, &state_dir, json)
        }
    }
}
