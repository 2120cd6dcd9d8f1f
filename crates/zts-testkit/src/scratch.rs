//! Temporary folders, removed on `Drop`, or by the next test run when this one was killed.

use std::{
    env,
    fs::{self, File},
    io,
    ops::Deref,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Once,
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::{fs::OFlags, mount::UnmountFlags};
use tempfile::TempDir;

use crate::scale_timeout;

/// The time in which the processes of a folder end, on an idle machine.
const LONGEST_END: Duration = Duration::from_secs(5);
const PREFIX: &str = "zero-touch-secrets-test-";
/// The age below which a folder may belong to a process that has not locked it yet.
const MINIMUM_AGE: Duration = Duration::from_secs(60);

/// Creates an empty folder (0700) that is removed with its contents on `Drop`.
pub fn scratch_dir() -> ScratchDir {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(|| sweep(&env::temp_dir()));
    let dir = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir()
        .expect("a scratch folder is created");
    let lock = lock(dir.path()).expect("a new scratch folder is locked");
    ScratchDir { dir, _lock: lock }
}

/// A temporary folder; see [`scratch_dir`]. It dereferences to its path.
#[derive(Debug)]
pub struct ScratchDir {
    dir: TempDir,
    /// A lock that keeps other test processes from removing the folder.
    _lock: File,
}

impl Drop for ScratchDir {
    /// Removes the folder, again while a process that is ending still writes to it, or removes a
    /// file of its own meanwhile.
    fn drop(&mut self) {
        let deadline = Instant::now() + scale_timeout(LONGEST_END);
        while let Err(cause) = fs::remove_dir_all(self.dir.path()) {
            let is_gone = cause.kind() == io::ErrorKind::NotFound && !self.dir.path().exists();
            if is_gone || Instant::now() > deadline {
                return; // what else fails, fails again when the folder itself is dropped
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
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

fn lock(folder: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let folder = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(folder)?;
    folder.try_lock()?;
    Ok(folder)
}

/// Removes the folders of killed test processes.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && is_settled(&entry).unwrap_or(false) && lock(&entry.path()).is_ok() {
            unmount_below(&entry.path());
            // Fails for another user's folder and for one that another process removes.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_settled(entry: &fs::DirEntry) -> io::Result<bool> {
    let modified = entry.metadata()?.modified()?;
    Ok(SystemTime::now()
        .duration_since(modified)
        .is_ok_and(|age| age > MINIMUM_AGE))
}

/// Unmounts everything that is mounted below `folder`.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points
        .map(Path::new)
        .filter(|point| point.starts_with(folder))
    {
        unmount(point);
    }
}

/// Unmounts lazily, because a process whose current directory it is must not block the test.
pub(crate) fn unmount(point: &Path) {
    let _ = rustix::mount::unmount(point, UnmountFlags::DETACH);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_removed_although_a_process_still_writes_to_it() {
        let folder = scratch_dir();
        let path = folder.to_path_buf();
        let writer = thread::spawn(move || {
            for number in 0..3_000 {
                let _ = fs::write(path.join(number.to_string()), "");
            }
            path
        });
        while fs::read_dir(&*folder).unwrap().count() < 100 {
            thread::yield_now();
        }
        drop(folder);
        assert!(!writer.join().unwrap().exists());
    }

    #[test]
    fn only_unlocked_folders_are_swept() {
        let parent = scratch_dir();
        let made = |name: &str, age: u64| {
            let path = parent.join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "").unwrap();
            let changed = SystemTime::now() - Duration::from_secs(age);
            File::open(&path).unwrap().set_modified(changed).unwrap();
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
