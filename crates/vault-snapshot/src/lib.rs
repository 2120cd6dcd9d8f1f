//! Saves snapshots of an OpenBao cluster and tests that they can be restored.
//!
//! A snapshot is two files: OpenBao's archive, encrypted or not, and its [`description`]. The
//! description is written before the archive and removed after it. The archive appears whole or not
//! at all. So a description alone is a leftover, and a snapshot exists as soon as its archive does
//! ([`store`]).

mod archive;
mod cli;
mod cluster;
mod config;
mod description;
mod digest;
mod drill;
mod encryption;
mod list;
mod login;
mod platform;
mod prune;
mod report;
mod restore;
mod retention;
mod save;
mod selected_snapshot;
mod signature;
mod store;
mod timestamp;
mod verify;

pub use cli::Arguments;

use std::env;

use cli::Command;
use zts_cli::Failure;

/// Runs the program.
///
/// # Errors
/// A cluster that does not answer, a place that cannot be written to, a damaged snapshot, wrong
/// usage.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let arguments = match &arguments.config {
        Some(path) => config::parse_with_settings(path, env::args_os())?,
        None => arguments,
    };
    match arguments.command {
        Command::Save(save) => save::run(&save),
        Command::List(list) => list::run(&list),
        Command::Verify(verify) => verify::run(&verify),
        Command::Prune(prune) => prune::run(&prune),
        Command::Restore(restore) => restore::run(&restore),
        Command::Drill(drill) => drill::run(&drill),
        Command::CheckConfig { file } => config::check(&file),
        Command::DieWithParent {
            parent,
            program,
            arguments,
        } => Err(platform::die_with_parent(parent, &program, &arguments)),
    }
}
