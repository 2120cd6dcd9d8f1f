//! Folders that vanish: on `Drop`, or with the next test run when this one was killed.

use std::{
    env, fs, io,
    ops::Deref,
    os::fd::OwnedFd,
    path::Path,
    sync::Once,
    time::{Duration, SystemTime},
};

use rustix::fs::{FlockOperation, Mode, OFlags};
use tempfile::TempDir;

use crate::mount;

const PREFIX: &str = "zero-touch-secrets-test-";
/// A folder younger than this may belong to a process that has yet to lock it.
const SETTLED: Duration = Duration::from_secs(60);

/// A new, empty folder (0700) that is removed with everything in it on `Drop`.
pub fn scratch_dir() -> ScratchDir {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(|| sweep(&env::temp_dir()));
    let dir = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir()
        .expect("a scratch folder is made");
    let lock = lock(dir.path()).expect("a new scratch folder is locked");
    ScratchDir { dir, _lock: lock }
}

/// A folder that vanishes; see [`scratch_dir`]. It dereferences to its path.
#[derive(Debug)]
pub struct ScratchDir {
    dir: TempDir,
    /// Tells other test processes that this one still lives.
    _lock: OwnedFd,
}

impl Deref for ScratchDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.dir.path()
    }
}

impl AsRef<Path> for ScratchDir {
    fn as_ref(&self) -> &Path {
        self
    }
}

fn lock(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
    Ok(folder)
}

/// Removes the folders of test processes that were killed before they could.
pub(crate) fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && is_settled(&entry).unwrap_or(false) && lock(&entry.path()).is_ok() {
            mount::unmount_below(&entry.path());
            // Another user's folder, or one that another sweep is removing: not ours to mend.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_settled(entry: &fs::DirEntry) -> io::Result<bool> {
    let modified = entry.metadata()?.modified()?;
    Ok(SystemTime::now()
        .duration_since(modified)
        .is_ok_and(|age| age > SETTLED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_nobody_holds_are_swept() {
        let parent = scratch_dir();
        let made = |name: &str, age: u64| {
            let path = parent.join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "").unwrap();
            let changed = SystemTime::now() - Duration::from_secs(age);
            fs::File::open(&path)
                .unwrap()
                .set_modified(changed)
                .unwrap();
            path
        };
        let dead = made(&format!("{PREFIX}dead"), 90);
        let alive = made(&format!("{PREFIX}alive"), 90);
        let young = made(&format!("{PREFIX}young"), 1);
        let foreign = made("foreign", 90);
        let _held = lock(&alive).unwrap();
        sweep(&parent);
        let there = [dead, alive, young, foreign].map(|path| path.exists());
        assert_eq!(there, [false, true, true, true]);
    }
}
