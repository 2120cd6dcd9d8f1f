//! Moves the secrets of sops-nix and agenix to OpenBao, one step a run, so that each can be looked
//! at before the next: the plan, the values, the new declarations beside the old ones, a comparison
//! on the host, the removal of the old ones.
//!
//! [`run`] is the whole program. The declarations come from the flake or from Nix files
//! ([`source`]). Each becomes a file of a secret ([`plan`]); its value is decrypted by `sops` or
//! `age` ([`decrypt`]) and written as a first version ([`write`]). Changes of the fleet's files are
//! made in their text ([`nix_text`]) and printed as a diff ([`edits`]).

mod bindings;
mod cli;
mod decrypt;
mod edits;
mod files;
mod model;
mod nix_text;
mod plan;
mod report;
mod source;
mod tool;
mod verify;
mod write;

use zts_cli::{Failure, data};

pub use cli::Arguments;
use decrypt::Decrypter;

/// Runs the program.
///
/// # Errors
/// Declarations that cannot be read, a file that cannot be decrypted, a failed request, and values
/// that differ; see [`Failure`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "`zts_cli::main` passes the arguments by value"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let hosts = source::read_hosts(&arguments)?;
    let mut plans = plan::plan_hosts(hosts, &arguments.only)?;
    if let Some(destination) = &arguments.verify {
        return verify::verify(&plans, destination);
    }
    if arguments.replace {
        return edits::print_replacement(&plans, &arguments);
    }
    Decrypter::new(&arguments).decrypt(&mut plans)?;
    if arguments.write {
        write::write_secrets(&plans, &arguments)
    } else if arguments.declare {
        edits::print_declarations(&plans, &arguments)
    } else if arguments.json {
        data(report::render_json(&plans))
    } else {
        data(report::render_text(&plans))
    }
}
