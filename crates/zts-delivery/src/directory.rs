//! The output directory. Its files are written in the state directory and exchanged in one step.

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
use zeroize::Zeroizing;
use zts_secure_fs::{parent_of, remove_acls, to_mode};

use crate::{
    DeployedVersion, error::Error, files::Files, fingerprint::Taken, ownership::Ownership,
    private_file, state_dir::StateDir,
};

/// Makes the output directory hold exactly `files`, and returns whether it did not before. An equal
/// directory is unchanged, so that programs that watch it see no change. Notes `version` as the
/// deployed one, unless it is noted already.
///
/// # Errors
/// A place that cannot or must not be written to, and the system's errors. The directory is then
/// unchanged.
pub fn deploy(
    state_dir: &StateDir,
    files: &Files,
    ownership: Ownership,
    version: Option<&DeployedVersion>,
) -> Result<bool, Error> {
    let declaration = files.digest_of_declaration(ownership);
    // before the files are read, so that a later change shows
    let taken = Taken::of(state_dir.target(), &declaration);
    if is_deployed(state_dir, files, ownership) {
        let _ = taken.note(state_dir.folder()); // without it, the next run reads the files again
        state_dir.discard_new_set(); // of a killed run
        return Ok(false);
    }
    let fresh = state_dir.create_new_set()?;
    let deployed = write_all(&fresh, files, ownership).and_then(|()| {
        let _ = Taken::of(&fresh, &declaration).note(state_dir.folder());
        state_dir.mark_change()?;
        if exchange_and_record(state_dir, &fresh, version)? {
            state_dir.archive_previous(&fresh)?;
        }
        Ok(())
    });
    if deployed.is_err() {
        state_dir.discard_new_set();
    }
    deployed.map(|()| true)
}

/// Returns whether the output directory holds exactly `files`.
pub fn is_deployed(state_dir: &StateDir, files: &Files, ownership: Ownership) -> bool {
    holds(state_dir.target(), files, ownership)
}

/// Returns whether the directory `path` holds exactly `files`.
pub(crate) fn holds(path: &Path, files: &Files, ownership: Ownership) -> bool {
    holds_exactly(path, files, ownership).unwrap_or(false)
}

/// Creates the directory `path` in the state directory, and writes `files` into it.
pub(crate) fn write_set(path: &Path, files: &Files, ownership: Ownership) -> Result<(), Error> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .and_then(|()| remove_acls(File::open(path)?)) // files in it would inherit them
        .map_err(|cause| Error::io("make", path, cause))?;
    write_all(path, files, ownership)?;
    let declaration = files.digest_of_declaration(ownership);
    let _ = Taken::of(path, &declaration).note(parent_of(path)); // without it, the next run reads the files
    Ok(())
}

fn write_all(directory: &Path, files: &Files, ownership: Ownership) -> Result<(), Error> {
    for (name, content) in files.iter() {
        let path = directory.join(name);
        write_file(&path, content, files.ownership_of(name, ownership))?;
    }
    let opened = open_directory(directory)?;
    fchown(&opened, None, ownership.group)
        .map_err(|cause| Error::io("change the owner of", directory, cause))?;
    fchmod(&opened, files.directory_mode(ownership))
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
    // costs nothing in memory (/run); on a disk, deployed files must survive a power cut
    file.sync_all()
        .map_err(|cause| Error::io("write", path, cause))
}

/// Exchanges the output directory and the one at `other` in one system call. Returns `false` where
/// there was no output directory yet.
///
/// The caller notes the change before ([`StateDir::mark_change`]). If the process is killed in
/// between, services with older files are still recognised.
pub(crate) fn exchange(state_dir: &StateDir, other: &Path) -> Result<bool, Error> {
    let target = state_dir.target();
    let refuse = |reason| Error::refused(target, reason);
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

/// Exchanges as [`exchange`] does, and notes `version`. Undoes the exchange where that fails.
pub(crate) fn exchange_and_record(
    state_dir: &StateDir,
    other: &Path,
    version: Option<&DeployedVersion>,
) -> Result<bool, Error> {
    let had_files = exchange(state_dir, other)?;
    let recorded = version.map_or(Ok(()), |version| state_dir.record_version(version));
    if recorded.is_err() {
        let flags = if had_files {
            RenameFlags::EXCHANGE
        } else {
            RenameFlags::NOREPLACE
        };
        let _ = renameat_with(CWD, state_dir.target(), CWD, other, flags); // the first error is the one to report
    }
    recorded.map(|()| had_files)
}

fn holds_exactly(target: &Path, files: &Files, ownership: Ownership) -> io::Result<bool> {
    let directory = fs::symlink_metadata(target)?;
    let of_directory = Ownership {
        user: None,
        ..ownership
    };
    if !directory.is_dir() || !is_owned(&directory, of_directory, files.directory_mode(ownership)) {
        return Ok(false);
    }
    let mut count = 0;
    for entry in fs::read_dir(target)? {
        let entry = entry?;
        count += 1;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let Some(content) = files.get(name) else {
            return Ok(false);
        };
        if !file_holds(&entry.path(), content, files.ownership_of(name, ownership))? {
            return Ok(false);
        }
    }
    Ok(count == files.count())
}

fn file_holds(path: &Path, content: &[u8], ownership: Ownership) -> io::Result<bool> {
    let mut file = private_file::open(path)?;
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
        && to_mode(metadata.mode() & 0o7777) == mode
}
