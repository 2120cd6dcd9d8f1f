//! Space on the disk that is reserved for content that must not be lost.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write},
    thread,
    time::Duration,
};

use rustix::{
    fs::{FallocateFlags, Mode, OFlags, fallocate, openat, renameat},
    io::Errno,
};

use crate::{access::Access, folder::Folder};

/// The first and the longest pause between two attempts to write.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

impl Folder {
    /// Creates a draft for this user only that takes `size` bytes on the disk, all zeros.
    ///
    /// # Errors
    /// The system's errors: a disk without that space, above all.
    pub fn reserve_draft(&self, name: impl AsRef<OsStr>, size: usize) -> io::Result<()> {
        let mut file = self.open_draft(name.as_ref())?;
        file.set_len(0)?;
        match fallocate(&file, FallocateFlags::empty(), 0, size as u64) {
            Err(Errno::OPNOTSUPP) => file.write_all(&vec![0; size])?,
            reserved => reserved?,
        }
        file.sync_all()
    }

    /// Writes into the space that a draft reserved, and then releases the rest of it. Creates the
    /// draft where nothing was reserved.
    ///
    /// # Errors
    /// The system's errors; the space stays reserved.
    pub fn overwrite_draft(&self, name: impl AsRef<OsStr>, content: &[u8]) -> io::Result<()> {
        let mut file = self.open_draft(name.as_ref())?;
        file.write_all(content)?;
        file.set_len(content.len() as u64)?;
        file.sync_all()
    }

    /// Writes into the space that a draft reserved. Where that part of the disk is bad, writes
    /// another file (`<name>.part`) and replaces the draft with it.
    ///
    /// # Errors
    /// The system's errors of both attempts; the space stays reserved.
    pub fn overwrite_or_replace_draft(
        &self,
        name: impl AsRef<OsStr>,
        content: &[u8],
    ) -> io::Result<()> {
        let name = name.as_ref();
        let Err(first) = self.overwrite_draft(name, content) else {
            return Ok(());
        };
        let mut part = name.to_owned();
        part.push(".part");
        let replaced = self
            .draft(part)
            .and_then(|part| part.write(content, Access::Mode(0o600))?.replace(name));
        replaced.map_err(|second| {
            io::Error::new(
                second.kind(),
                format!("{first}, and a new file in its place failed, too: {second}"),
            )
        })
    }

    /// Gives a file in this folder another name, in place of the file that has it. Does not wait
    /// for the disk.
    ///
    /// # Errors
    /// The system's errors.
    pub fn rename(&self, name: impl AsRef<OsStr>, new_name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(renameat(self, name.as_ref(), self, new_name.as_ref())?)
    }

    fn open_draft(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(self, name, flags, Mode::from_raw_mode(0o600))?.into())
    }
}

/// Repeats `attempt` until it succeeds, with growing pauses and without a limit. For content that
/// exists only in memory. `report` gets the first error, and each that differs from the one before.
pub fn retry_until_success<T>(
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
    use std::fs;

    use super::*;
    use crate::walk::Guard;

    #[test]
    fn reserved_space_remains_when_the_disk_is_full() {
        let Some(disk) = zts_testkit::Tmpfs::mount(64 << 10) else {
            zts_testkit::skip!("mounting needs root");
        };
        let folder = Folder::open(disk.path(), Guard::Strict).unwrap();
        folder.reserve_draft("reserved", 4096).unwrap();
        disk.fill();
        folder.reserve_draft("more", 4096).unwrap_err();
        folder.overwrite_draft("reserved", b"content").unwrap();
        folder.rename("reserved", "file").unwrap();
        assert_eq!(fs::read(disk.path().join("file")).unwrap(), b"content");
    }

    #[test]
    fn both_errors_of_a_bad_disk_are_reported() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        let overwrite = || folder.overwrite_or_replace_draft("keys", b"content");
        folder.reserve_draft("keys", 4096).unwrap();
        overwrite().unwrap();
        assert_eq!(fs::read(scratch.join("keys")).unwrap(), b"content");
        fs::remove_file(scratch.join("keys")).unwrap();
        std::os::unix::fs::symlink("elsewhere", scratch.join("keys")).unwrap();
        fs::create_dir(scratch.join("keys.part")).unwrap();
        let error = overwrite().unwrap_err().to_string();
        assert_eq!(
            error,
            "Too many levels of symbolic links (os error 40), and a new file in its place failed, too: \
             Is a directory (os error 21)"
        );
    }

    #[test]
    fn each_error_is_reported_once() {
        let mut causes = vec!["b", "a", "a"];
        let mut reported = Vec::new();
        retry_until_success(
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
