//! Room on a disk for what must not be lost.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::Duration,
};

use rustix::{
    fs::{FallocateFlags, OFlags, fallocate},
    io::Errno,
};

/// The first and the longest pause between two attempts to write.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Makes a file for this user only that takes `room` bytes on the disk, all zeros.
///
/// # Errors
/// The system's errors: a disk without that room, above all.
pub fn reserve(path: &Path, room: usize) -> io::Result<()> {
    let mut file = open(path)?;
    file.set_len(0)?;
    match fallocate(&file, FallocateFlags::empty(), 0, room as u64) {
        Err(Errno::OPNOTSUPP) => file.write_all(&vec![0; room])?, // some file systems do not know it
        reserved => reserved?,
    }
    file.sync_all()
}

/// Writes into the room that was reserved before; what is left of it is given back last. Makes the file
/// where nothing was reserved.
///
/// # Errors
/// The system's errors; the room stays reserved.
pub fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// As [`overwrite`]; where that part of the disk is bad, the content goes elsewhere (`<path>.part`) and
/// takes the place of the reserved file.
///
/// # Errors
/// The system's errors; the room stays reserved.
pub fn overwrite_or_move(path: &Path, content: &[u8]) -> io::Result<()> {
    if overwrite(path, content).is_ok() {
        return Ok(());
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let moved = overwrite(Path::new(&part), content).and_then(|()| fs::rename(&part, path));
    if moved.is_err() {
        let _ = fs::remove_file(&part); // the first error is the one to report
    }
    moved
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Repeats `attempt` until it succeeds, however long that takes, with growing pauses. For what exists
/// in memory only; `report` gets the first error, and each that is another one than before.
pub fn insist<T>(
    mut attempt: impl FnMut() -> io::Result<T>,
    mut report: impl FnMut(&io::Error),
) -> T {
    let [mut pause, longest] = PAUSES;
    let mut last = String::new();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(cause) => {
                let text = cause.to_string();
                if text != last {
                    report(&cause);
                    last = text;
                }
            }
        }
        thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_there_when_the_disk_is_full() {
        let Some(disk) = testkit::Tmpfs::mount(64 << 10) else {
            testkit::skip!("mounting needs root");
        };
        let path = disk.path().join("room");
        reserve(&path, 4096).unwrap();
        disk.fill_up();
        reserve(&disk.path().join("more"), 4096).unwrap_err();
        overwrite(&path, b"content").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }

    #[test]
    fn each_error_is_reported_once() {
        let mut causes = vec!["b", "a", "a"];
        let mut reported = Vec::new();
        insist(
            || {
                causes
                    .pop()
                    .map_or(Ok(()), |cause| Err(io::Error::other(cause)))
            },
            |cause| reported.push(cause.to_string()),
        );
        assert_eq!(reported, ["a", "b"]);
    }
}
