//! Telling systemd what to do with a unit.

use std::process::Command;

use crate::{Failure, with_signals};

/// Runs `systemctl <verb> <unit>` and waits for it; what it says goes to the person who runs this program.
///
/// # Errors
/// A systemctl that cannot be started, or that ends with another status than 0.
pub fn systemctl(verb: &str, unit: &str) -> Result<(), Failure> {
    let failed = |why: String| Failure::failed(format!("`systemctl {verb} {unit}` failed: {why}"));
    let status = with_signals(|| Command::new("systemctl").args([verb, unit]).status())
        .map_err(|cause| failed(cause.to_string()))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(status.to_string()))
    }
}
