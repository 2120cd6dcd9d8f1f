//! Paths that another user prepared for root.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod race;
mod walk;

use std::{fs, os::unix::fs::chown, path::Path};

use zts_testkit::{ANOTHER_USER, ScratchDir, is_root, scratch_dir, set_mode};

/// Returns a folder that every user can reach; `None` if this process is not root.
fn reachable() -> Option<ScratchDir> {
    let folder = scratch_dir();
    set_mode(&folder, 0o755);
    let is_ours = chown(&*folder, Some(0), Some(0)).is_ok();
    (is_ours && is_root()).then_some(folder)
}

/// Creates a folder of another user.
fn create_foreign(path: &Path) {
    fs::create_dir(path).unwrap();
    chown(path, Some(ANOTHER_USER), Some(ANOTHER_USER)).unwrap();
}
