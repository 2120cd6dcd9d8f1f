//! The output directory: written beside its place, then swapped in all at once.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, RenameFlags, fchmod, fchown, renameat_with},
    io::Errno,
    process::{getegid, geteuid},
};
use secure_fs::remove_acls;
use zeroize::Zeroizing;

use crate::{contents::Files, error::Error, ownership::Ownership, workplace::Workplace};

/// Makes the output directory hold exactly `files`. One that does so already is left alone, so that
/// nobody who watches it is woken for nothing.
///
/// # Errors
/// A place that cannot or must not be written to, and what the system refuses.
pub fn publish(workplace: &Workplace, files: &Files, ownership: Ownership) -> Result<(), Error> {
    if is_published(workplace, files, ownership) {
        workplace.discard(); // what a killed run may have left
        return Ok(());
    }
    let fresh = workplace.fresh()?;
    let published = write_all(&fresh, files, ownership).and_then(|()| swap_in(workplace, &fresh));
    if published.is_err() {
        workplace.discard();
    }
    published
}

/// Whether the output directory holds exactly `files`.
pub fn is_published(workplace: &Workplace, files: &Files, ownership: Ownership) -> bool {
    holds_exactly(workplace.target(), files, ownership).unwrap_or(false)
}

/// Makes the directory `path`, and writes `files` into it.
pub(crate) fn write_set(path: &Path, files: &Files, ownership: Ownership) -> Result<(), Error> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .and_then(|()| remove_acls(File::open(path)?)) // what is made in it would inherit them
        .map_err(|cause| Error::io("make", path, cause))?;
    write_all(path, files, ownership)
}

fn write_all(directory: &Path, files: &Files, ownership: Ownership) -> Result<(), Error> {
    for (name, content) in files {
        write_file(&directory.join(name), content, ownership)?;
    }
    let opened = open_directory(directory)?;
    fchown(&opened, None, ownership.group)
        .map_err(|cause| Error::io("change the owner of", directory, cause))?;
    fchmod(&opened, ownership.directory_mode())
        .map_err(|cause| Error::io("change the mode of", directory, cause))
}

fn open_directory(path: &Path) -> Result<File, Error> {
    let only = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    OpenOptions::new()
        .read(true)
        .custom_flags(only.bits().cast_signed())
        .open(path)
        .map_err(|cause| Error::io("open", path, cause))
}

fn write_file(path: &Path, content: &[u8], ownership: Ownership) -> Result<(), Error> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|cause| Error::io("make", path, cause))?;
    file.write_all(content)
        .map_err(|cause| Error::io("write", path, cause))?;
    fchown(&file, ownership.user, ownership.group)
        .map_err(|cause| Error::io("change the owner of", path, cause))?;
    fchmod(file.as_fd(), ownership.mode.of_files())
        .map_err(|cause| Error::io("change the mode of", path, cause))?;
    // free in memory (/run); on a disk, what readers see must survive a power cut whole
    file.sync_all()
        .map_err(|cause| Error::io("write", path, cause))
}

/// Puts the set at `fresh` in place; the replaced one goes where only open readers still see it.
fn swap_in(workplace: &Workplace, fresh: &Path) -> Result<(), Error> {
    if swap(workplace, fresh)? {
        workplace.retire(fresh)?;
    }
    Ok(())
}

/// Exchanges the output directory and the one at `other` in one step of the kernel's, and gives `true`;
/// `false` where there was none yet.
///
/// That they change is noted before, lest a kill in between hides it from those who use the files.
pub(crate) fn swap(workplace: &Workplace, other: &Path) -> Result<bool, Error> {
    workplace.mark_change()?;
    let target = workplace.target();
    let refuse = |reason| Error::Output {
        path: target.to_owned(),
        reason,
    };
    match renameat_with(CWD, other, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => renameat_with(CWD, other, CWD, target, RenameFlags::NOREPLACE)
            .map(|()| false)
            .map_err(|cause| Error::io("put the files at", target, cause)),
        Err(Errno::BUSY) => Err(refuse(
            "is a mount point, which cannot be replaced as a whole",
        )),
        Err(Errno::INVAL | Errno::NOSYS) => Err(refuse(
            "lies on a file system that cannot exchange two directories (renameat2)",
        )),
        Err(cause) => Err(Error::io("put the files at", target, cause)),
    }
}

fn holds_exactly(target: &Path, files: &Files, ownership: Ownership) -> io::Result<bool> {
    let directory = fs::symlink_metadata(target)?;
    let of_directory = Ownership {
        user: None,
        ..ownership
    };
    if !directory.is_dir() || !is_owned(&directory, of_directory, ownership.directory_mode()) {
        return Ok(false);
    }
    let mut count = 0;
    for entry in fs::read_dir(target)? {
        let entry = entry?;
        count += 1;
        let content = entry.file_name().to_str().and_then(|name| files.get(name));
        let Some(content) = content else {
            return Ok(false);
        };
        if !file_holds(&entry.path(), content, ownership)? {
            return Ok(false);
        }
    }
    Ok(count == files.len())
}

fn file_holds(path: &Path, content: &[u8], ownership: Ownership) -> io::Result<bool> {
    let no_surprise = OFlags::NOFOLLOW | OFlags::NONBLOCK; // no link, and no pipe to wait for
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(no_surprise.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    let same_kind = metadata.is_file() && is_owned(&metadata, ownership, ownership.mode.of_files());
    if !same_kind || metadata.len() != content.len() as u64 {
        return Ok(false);
    }
    let mut found = Zeroizing::new(Vec::with_capacity(content.len() + 1));
    file.read_to_end(&mut found)?;
    Ok(*found == content)
}

fn is_owned(metadata: &fs::Metadata, ownership: Ownership, mode: Mode) -> bool {
    let user = ownership.user.unwrap_or_else(geteuid);
    let group = ownership.group.unwrap_or_else(getegid);
    metadata.uid() == user.as_raw()
        && metadata.gid() == group.as_raw()
        && metadata.mode() & 0o7777 == mode.as_raw_mode()
}
