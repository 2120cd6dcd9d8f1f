//! Never two at once.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::Duration,
};

use cli::Failure;
use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use crate::moment::Moment;

/// The file that is locked in a folder.
const LOCK: &str = ".vault-snapshot.lock";

/// Folders that no other run works in while this lives, however it ends.
#[derive(Debug)]
pub(crate) struct Locked {
    files: Vec<File>,
}

impl Locked {
    /// Locks each of the folders, or none.
    ///
    /// # Errors
    /// One that another run has locked, or that cannot be written to.
    pub(crate) fn all<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<Self, Failure> {
        // In one order whatever the arguments, and each once: a second lock on a file would be refused.
        let resolved = folders.into_iter().map(|folder| {
            folder
                .canonicalize()
                .map_err(|cause| unusable(folder, &cause))
        });
        let mut resolved = resolved.collect::<Result<Vec<_>, _>>()?;
        resolved.sort();
        resolved.dedup();
        let files = resolved.iter().map(|folder| lock(folder));
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
        })
    }
}

impl Locked {
    /// A moment that no run has had that locked one of these folders: a name is made of it. Waits for the next
    /// second where that is needed.
    pub(crate) fn new_moment(&mut self) -> io::Result<Moment> {
        let mut last = None;
        for file in &mut self.files {
            last = last.max(read(file)?);
        }
        let mut now = Moment::now();
        // A clock that was set back by more than that is believed.
        while last.is_some_and(|last| (now..now.after(3)).contains(&last)) {
            thread::sleep(Duration::from_millis(50));
            now = Moment::now();
        }
        for file in &mut self.files {
            file.rewind()?;
            file.write_all(now.to_string().as_bytes())?;
        }
        Ok(now)
    }
}

/// What [`Locked::new_moment`] wrote; nothing in a new file, or one that was cut short.
fn read(file: &mut File) -> io::Result<Option<Moment>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(100).read_to_string(&mut text)?;
    Ok(Moment::parse(&text))
}

/// Whether this folder could be locked, were nobody else at work there.
///
/// # Errors
/// It cannot be written to.
pub(crate) fn can_be_locked(folder: &Path) -> Result<(), Failure> {
    open(folder).map(drop)
}

fn open(folder: &Path) -> Result<File, Failure> {
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(folder.join(LOCK))
        .map_err(|cause| unusable(folder, &cause))
}

fn lock(folder: &Path) -> Result<File, Failure> {
    let file = open(folder)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Failure::failed(format!(
            "another vault-snapshot is at work in `{}`",
            folder.display()
        ))
        .hint("wait for it to end")),
        Err(cause) => Err(unusable(folder, &cause.into())),
    }
}

fn unusable(folder: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot be locked: {cause}", folder.display()))
}
