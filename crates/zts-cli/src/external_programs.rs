//! Programs of other projects: finds them, runs `systemctl`, and prepares `nix eval`.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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

/// Returns the command that applies a Nix function to a flake's output, and prints the result as
/// JSON. It writes no lock file. The flake does not get the operator's token.
pub fn nix_eval(function: &str, output: &str) -> Command {
    let mut command = Command::new("nix");
    command
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args([
            "eval",
            "--json",
            "--no-write-lock-file",
            "--apply",
            function,
        ])
        .args(["--", output])
        .env_remove("BAO_TOKEN")
        .env_remove("VAULT_TOKEN")
        .stdin(Stdio::null());
    command
}

/// Quotes a string of Nix.
pub fn nix_string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$");
    format!("\"{escaped}\"")
}
