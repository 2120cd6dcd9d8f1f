//! Manages the declared secrets of a host: rotation with roll-back, retries of failed fetches,
//! removal of secrets that are no longer declared, status and metrics.
//!
//! [`run`] is the whole program. The library `zts-delivery` turns a secret into files. Systemd is
//! controlled through `systemctl`.

mod clean;
mod cli;
mod fetch;
mod fetch_all;
mod file;
mod followers;
mod host;
mod links;
mod metrics;
mod render;
mod retry;
mod rotate;
mod status;
mod systemd;
mod text;
mod watch;

pub use cli::{Arguments, Command, FetchAll, Prove, Rotate, Watch};

use std::path::Path;

use zts_cli::Failure;
use zts_delivery::Declarations;

/// Runs the program.
///
/// # Errors
/// The command failed; see [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = &arguments.declarations;
    match arguments.command {
        Command::Rotate(rotate) => {
            with_declarations(file, |declarations| rotate::run(&rotate, declarations))
        }
        Command::Prove(prove) => {
            with_declarations(file, |declarations| rotate::prove(&prove, declarations))
        }
        Command::Retry { name } => retry::run(&name, file),
        Command::Fetch => fetch::run(&Declarations::read(file)?),
        Command::FetchAll(arguments) => with_declarations(file, |declarations| {
            fetch_all::run(&arguments, declarations)
        }),
        Command::Render { name } => {
            let declarations = Declarations::read(file)?;
            let rendered = render::run(&name, &declarations);
            clean::remove_undeclared(&only_template(declarations, &name), file);
            rendered
        }
        Command::Watch(arguments) => {
            let never = watch::run(&arguments, &Declarations::read(file)?)?;
            match never {}
        }
        Command::Clean { state, all: false } => clean::run(&state, &Declarations::read(file)?),
        Command::Clean { state, all: true } => clean::remove_all(&state),
        Command::Metrics { output, state_dir } => {
            metrics::run(&Declarations::read(file)?, &state_dir, output.as_deref())
        }
        Command::Status { json, state_dir } => {
            status::run(&Declarations::read(file)?, &state_dir, json)
        }
    }
}

/// Returns the declarations with one template, and with nothing else that has a place.
fn only_template(mut declarations: Declarations, name: &str) -> Declarations {
    declarations.secrets.clear();
    declarations.templates.retain(|other, _| other == name);
    declarations
}

/// Runs a command that writes secrets, and then removes those that are no longer declared.
fn with_declarations(
    file: &Path,
    command: impl FnOnce(&Declarations) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let declarations = Declarations::read(file)?;
    let done = command(&declarations);
    clean::remove_undeclared(&declarations, file);
    done
}
