//! How every program starts and ends.

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::{Failure, generate, message};

/// Reads the command line, runs the program and says once what went wrong. Exit status: 0 done, 1
/// the job failed, 2 wrong usage or configuration.
pub fn main<Arguments: Parser>(run: impl FnOnce(Arguments) -> Result<(), Failure>) -> ExitCode {
    // secrets pass through this memory: no core dump, and no other process of the user looks in
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let result = match generate::requested(std::env::args_os()) {
        Some(kind) => generate::write(&kind, Arguments::command()),
        None => run(Arguments::parse()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            message::error(&failure);
            ExitCode::from(failure.status() as u8)
        }
    }
}
