//! Programs of other projects: finds them, and runs `systemctl`.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::Failure, signals::with_signals};

/// Returns the program `name` in the first folder of `PATH` that has it.
pub fn on_path(name: impl AsRef<Path>) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name.as_ref()))
        .find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs `systemctl <verb> <unit>` until it ends. Its output goes to this program's stdout and
/// stderr.
///
/// # Errors
/// A systemctl that cannot be started, or that ends with another status than 0.
pub fn systemctl(verb: &str, unit: &str) -> Result<(), Failure> {
    let failed =
        |reason: String| Failure::failed(format!("`systemctl {verb} {unit}` failed: {reason}"));
    let status = with_signals(|| Command::new("systemctl").args([verb, unit]).status())
        .map_err(|cause| failed(cause.to_string()))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(status.to_string()))
    }
}
