//! Paths that another user prepared for root.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod race;
mod walk;

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use zts_testkit::{ANOTHER_USER, ScratchDir, scratch_dir};

/// Returns a folder that every user can reach; `None` if this process is not root.
fn reachable() -> Option<ScratchDir> {
    let folder = scratch_dir();
    set_mode(&folder, 0o755);
    let is_root = chown(&*folder, Some(0), Some(0)).is_ok();
    (is_root && rustix::process::geteuid().is_root()).then_some(folder)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Creates a folder of another user.
fn create_foreign(path: &Path) {
    fs::create_dir(path).unwrap();
    chown(path, Some(ANOTHER_USER), Some(ANOTHER_USER)).unwrap();
}
