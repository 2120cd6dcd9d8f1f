//! The counterparts on macOS, which has no namespaces and no parent-death signal.

use std::{ffi::OsString, os::unix::process::CommandExt, path::Path, process::Command};

use zts_cli::Failure;

/// Refuses a drill that needs isolation: the throw-away server would reach the network, and write
/// to the audit log of a server on this machine.
///
/// # Errors
/// `keep_network` is not set, or one of `hidden` exists.
pub(crate) fn isolate(keep_network: bool, hidden: &[&Path]) -> Result<(), Failure> {
    if keep_network && !hidden.iter().any(|folder| folder.is_dir()) {
        return Ok(());
    }
    Err(Failure::failed(
        "the throw-away server cannot be isolated from the network and the audit log: only Linux has namespaces",
    )
    .hint("run the drill on a Linux machine; `--with-network --hide none` does without isolation, at the risk that `--help` describes"))
}

/// Returns a command that runs `program`. The drill ends it; if the drill itself is killed, the
/// server runs on.
pub(crate) fn command_that_dies_with_parent(program: &Path) -> Command {
    Command::new(program)
}

/// Replaces this process by `program`. Returns only on failure.
pub(crate) fn die_with_parent(_: i32, program: &Path, arguments: &[OsString]) -> Failure {
    let cause = Command::new(program).args(arguments).exec();
    Failure::failed(format!(
        "`{}` could not be started: {cause}",
        program.display()
    ))
}
