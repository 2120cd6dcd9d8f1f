//! Saves snapshots of an OpenBao cluster, and shows that they can be restored.
//!
//! A snapshot is two files: OpenBao's archive, encrypted or not, and a description ([`metadata`]). The
//! description is written first and the archive appears last, whole or not at all; it is removed first. So
//! a description alone is debris, and a snapshot is there as soon as its archive is ([`store`]).

mod archive;
mod chosen;
mod cli;
mod cluster;
mod digest;
mod draft;
mod drill;
mod encryption;
mod failures;
mod inflated;
mod inspection;
mod list;
mod lock;
mod login;
mod members;
mod metadata;
mod metrics;
mod moment;
mod prune;
mod reception;
mod restore;
mod retention;
mod save;
mod signature;
mod store;
mod usable;
mod verify;

pub use cli::Arguments;

use ::cli::Failure;
use cli::Command;

/// Runs the program.
///
/// # Errors
/// What a person is told: a cluster that cannot be asked, a place that cannot be written to, a snapshot that
/// is damaged, wrong usage.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Save(save) => save::run(&save),
        Command::List(list) => list::run(&list),
        Command::Verify(verify) => verify::run(&verify),
        Command::Prune(prune) => prune::run(&prune),
        Command::Restore(restore) => restore::run(&restore),
        Command::Drill(drill) => drill::run(&drill),
        Command::Tied { program, arguments } => Err(drill::tied::run(&program, &arguments)),
    }
}
