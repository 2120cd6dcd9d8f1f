//! A program that does not outlive this one, however this one ends.

use std::{ffi::OsString, os::unix::process::CommandExt, path::Path, process::Command};

use cli::Failure;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::cli::TIED;

/// A command that runs `program` so.
pub(crate) fn command(program: &Path) -> Command {
    // The path of the file that runs, also where its name has changed.
    let mut command = Command::new("/proc/self/exe");
    command.arg(TIED).arg(program);
    command
}

/// Becomes `program`; the kernel kills it when the parent ends. Gives back why not.
pub(crate) fn run(program: &Path, arguments: &[OsString]) -> Failure {
    let parent = getppid();
    if let Err(cause) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Failure::failed(format!("it could not be tied to its parent: {cause}"));
    }
    if getppid() != parent {
        return Failure::failed("its parent has ended");
    }
    let cause = Command::new(program).args(arguments).exec();
    Failure::failed(format!(
        "`{}` could not be started: {cause}",
        program.display()
    ))
}
