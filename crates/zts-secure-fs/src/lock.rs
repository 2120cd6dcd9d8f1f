//! Locks that keep other processes out of a file or folder.

use std::{
    ffi::OsStr,
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, fstat, openat, statat},
    io::Errno,
};

use crate::{
    error::{Error, REMOVED_AGAIN},
    folder::Folder,
};

/// The most attempts to lock a folder that other processes remove and create anew.
const ATTEMPTS: usize = 100;

/// The pause between two attempts to take a lock before a deadline.
const PAUSE: Duration = Duration::from_millis(3);

/// A lock on an open file or folder, held until it is dropped. The system releases it when the
/// process ends.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scratch = zts_testkit::scratch_dir();
/// # let path = &*scratch;
/// use zts_secure_fs::{Folder, Guard, Lock, LockKind};
///
/// let folder = Folder::open(path, Guard::Strict)?;
/// let lock = Lock::wait(folder.open_lock_file(".lock")?, LockKind::Exclusive)?;
/// let another = folder.open_lock_file(".lock")?;
/// assert!(Lock::try_take(another, LockKind::Shared)?.is_none());
/// # drop(lock);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the lock is released when it is dropped"]
pub struct Lock {
    file: File,
}

/// The number of processes that may hold a lock at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// One.
    Exclusive,
    /// Any number, while no process holds an exclusive lock.
    Shared,
}

impl Lock {
    /// Waits for the lock.
    ///
    /// # Errors
    /// The system's errors.
    pub fn wait(file: File, kind: LockKind) -> io::Result<Self> {
        loop {
            let locked = match kind {
                LockKind::Exclusive => file.lock(),
                LockKind::Shared => file.lock_shared(),
            };
            match locked {
                Ok(()) => return Ok(Self { file }),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
    }

    /// Waits for the lock, and calls `report` first if another process holds it.
    ///
    /// # Errors
    /// The system's errors.
    pub fn wait_and_report(file: File, kind: LockKind, report: impl FnOnce()) -> io::Result<Self> {
        if try_lock(&file, kind)? {
            return Ok(Self { file });
        }
        report();
        Self::wait(file, kind)
    }

    /// Takes the lock; `None` if another process holds it.
    ///
    /// # Errors
    /// The system's errors.
    pub fn try_take(file: File, kind: LockKind) -> io::Result<Option<Self>> {
        Ok(try_lock(&file, kind)?.then_some(Self { file }))
    }

    /// Waits for the lock until `deadline`; `None` if another process holds it then.
    ///
    /// # Errors
    /// The system's errors.
    pub fn wait_until(file: File, kind: LockKind, deadline: Instant) -> io::Result<Option<Self>> {
        while !try_lock(&file, kind)? {
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
        Ok(Some(Self { file }))
    }

    /// Returns the file that is locked.
    pub fn file(&self) -> &File {
        &self.file
    }
}

fn try_lock(file: &File, kind: LockKind) -> io::Result<bool> {
    let locked = match kind {
        LockKind::Exclusive => file.try_lock(),
        LockKind::Shared => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

impl Folder {
    /// Opens a folder in this one as [`Folder::create_private`] does, and waits for the exclusive
    /// lock on it. Another process may remove the folder during the wait: then it is created anew.
    ///
    /// # Errors
    /// A folder that another user may change, and the system's errors.
    pub fn lock_or_create_private(&self, name: &OsStr) -> Result<(Self, Lock), Error> {
        for _ in 0..ATTEMPTS {
            let locked = self.create_private(name).and_then(Self::lock);
            match locked {
                Ok((folder, lock)) if self.has_entry(name, &lock)? => return Ok((folder, lock)),
                Err(error) if !error.is_absent() => return Err(error),
                _ => {} // it was removed meanwhile
            }
        }
        Err(Error::refused(&self.path().join(name), REMOVED_AGAIN))
    }

    /// Opens a folder in this one as [`Folder::open_private`] does, and waits for the exclusive
    /// lock on it. Another process may remove the folder during the wait and create it anew: then
    /// the new one is locked.
    ///
    /// # Errors
    /// A missing folder ([`Error::is_absent`]), also one that was removed during the wait; one that
    /// another user may change, and the system's errors.
    pub fn lock_private(&self, name: &OsStr) -> Result<(Self, Lock), Error> {
        for _ in 0..ATTEMPTS {
            let (folder, lock) = self.open_private(name)?.lock()?;
            if self.has_entry(name, &lock)? {
                return Ok((folder, lock));
            }
        }
        Err(Error::refused(&self.path().join(name), REMOVED_AGAIN))
    }

    fn lock(self) -> Result<(Self, Lock), Error> {
        let lock = Lock::wait(self.reopen()?, LockKind::Exclusive)
            .map_err(|cause| Error::io("lock", self.path(), cause))?;
        Ok((self, lock))
    }

    /// Returns whether `name` in this folder is the file or folder that `lock` is on.
    fn has_entry(&self, name: &OsStr, lock: &Lock) -> Result<bool, Error> {
        let failed = |cause: Errno| Error::io("look at", &self.path().join(name), cause);
        let locked = fstat(lock.file()).map_err(failed)?;
        match statat(self, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(entry) => Ok((entry.st_dev, entry.st_ino) == (locked.st_dev, locked.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// Opens a file in this folder to lock it. Creates it for this user only where it is missing.
    ///
    /// It is open for reading: it keeps nobody from changing the file system to read-only.
    ///
    /// # Errors
    /// Anything but a regular file in its place: a named pipe is not waited for, a link is not
    /// followed. The system's errors.
    pub fn open_lock_file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_or_create(name.as_ref(), OFlags::RDONLY)
    }

    /// Opens a file in this folder to lock it, and to read and write notes in it. Creates it for
    /// this user only where it is missing.
    ///
    /// # Errors
    /// As [`Folder::open_lock_file`].
    pub fn open_writable_lock_file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_or_create(name.as_ref(), OFlags::RDWR)
    }

    fn open_or_create(&self, name: &OsStr, access: OFlags) -> io::Result<File> {
        let not_a_file = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        let no_surprise = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let flags = access | OFlags::CREATE | no_surprise;
        let file = match openat(self, name, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => File::from(file),
            // a link, a directory, a socket or a device without a driver
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO | Errno::NODEV) => {
                return Err(not_a_file());
            }
            Err(cause) => return Err(cause.into()),
        };
        if !file.metadata()?.is_file() {
            return Err(not_a_file());
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{
            fs::{MetadataExt, symlink},
            net::UnixListener,
        },
        sync::mpsc,
    };

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;
    use crate::walk::Guard;

    fn open(folder: &Folder) -> File {
        folder.open_lock_file(".lock").unwrap()
    }

    #[test]
    fn shared_locks_exclude_exclusive_ones() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        let first = Lock::wait(open(&folder), LockKind::Shared).unwrap();
        let second = Lock::try_take(open(&folder), LockKind::Shared)
            .unwrap()
            .unwrap();
        assert!(
            Lock::try_take(open(&folder), LockKind::Exclusive)
                .unwrap()
                .is_none()
        );
        drop((first, second));
        let third = Lock::try_take(open(&folder), LockKind::Exclusive).unwrap();
        assert!(third.is_some());
    }

    #[test]
    fn waiting_is_reported_and_ends_when_the_lock_is_released() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        let held = Lock::wait_and_report(open(&folder), LockKind::Exclusive, || unreachable!());
        let held = held.unwrap();
        let (reported, waiting) = mpsc::channel();
        let file = open(&folder);
        let other = thread::spawn(move || {
            Lock::wait_and_report(file, LockKind::Exclusive, || reported.send(()).unwrap())
                .map(drop)
        });
        waiting.recv().unwrap();
        drop(held);
        other.join().unwrap().unwrap();
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        let held = Lock::wait(open(&folder), LockKind::Exclusive).unwrap();
        let wait = |time| {
            let deadline = Instant::now() + Duration::from_millis(time);
            Lock::wait_until(open(&folder), LockKind::Exclusive, deadline).unwrap()
        };
        assert!(wait(20).is_none());
        drop(held);
        assert!(wait(0).is_some());
    }

    #[test]
    fn only_a_regular_file_is_locked() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        fs::write(scratch.join("file"), "").unwrap();
        symlink("file", scratch.join("link")).unwrap();
        symlink("/dev/null", scratch.join("link-to-device")).unwrap();
        fs::create_dir(scratch.join("folder")).unwrap();
        let _listener = UnixListener::bind(scratch.join("socket")).unwrap();
        mknodat(
            CWD,
            scratch.join("pipe"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        for name in ["link", "link-to-device", "folder", "socket", "pipe"] {
            for opened in [
                folder.open_lock_file(name),
                folder.open_writable_lock_file(name),
            ] {
                let error = opened.unwrap_err();
                assert_eq!(error.to_string(), "it is not a regular file", "{name}");
            }
        }
        folder.open_lock_file("file").unwrap();
    }

    /// Returns the inode of an entry of `folder`.
    fn inode(folder: &Folder, name: &str) -> u64 {
        fs::metadata(folder.within(name)).unwrap().ino()
    }

    #[test]
    fn a_folder_that_is_removed_during_the_wait_is_locked_anew() {
        let scratch = zts_testkit::scratch_dir();
        let parent = Folder::open(&scratch, Guard::Strict).unwrap();
        let lock = |parent: &Folder| parent.lock_or_create_private("db".as_ref()).unwrap();
        for is_created_again in [false, true] {
            let first = lock(&parent);
            let (entered, waiting) = mpsc::channel();
            thread::scope(|scope| {
                let (parent, lock) = (&parent, &lock);
                scope.spawn(move || {
                    let (_folder, held) = lock(parent);
                    let locked = held.file().metadata().unwrap().ino();
                    entered.send((locked, inode(parent, "db"))).unwrap();
                });
                thread::sleep(Duration::from_millis(100)); // the other thread opens and waits
                fs::remove_dir(parent.within("db")).unwrap();
                let second = is_created_again.then(|| lock(parent));
                drop(first);
                if second.is_some() {
                    let early = waiting.recv_timeout(Duration::from_millis(100));
                    assert!(early.is_err(), "two threads hold the lock");
                }
                drop(second);
                let (locked, current) = waiting.recv().unwrap();
                assert_eq!(locked, current);
            });
            fs::remove_dir(parent.within("db")).unwrap();
        }
    }

    #[test]
    fn an_existing_folder_that_is_removed_during_the_wait_is_absent() {
        let scratch = zts_testkit::scratch_dir();
        let parent = Folder::open(&scratch, Guard::Strict).unwrap();
        let first = parent.lock_or_create_private("db".as_ref()).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| parent.lock_private("db".as_ref()).map(drop));
            thread::sleep(Duration::from_millis(100)); // the other thread opens and waits
            fs::remove_dir(parent.within("db")).unwrap();
            drop(first);
            assert!(waiting.join().unwrap().unwrap_err().is_absent());
        });
    }
}
