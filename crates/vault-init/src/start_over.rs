//! Replaces a storage whose keys were lost by an empty one.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::{Gid, Mode, RenameFlags, Uid, fchmod, fchown, mkdirat, renameat_with};
use zts_cli::{Failure, systemctl, warn};
use zts_secure_fs::{Folder, Guard};

/// Moves the storage of OpenBao away, and starts OpenBao with an empty one. Deletes nothing: if a
/// person has initialised the old storage by hand, it can be moved back.
///
/// # Errors
/// A unit that cannot be stopped or started, or a storage that cannot be moved.
pub(crate) fn start_over(storage: &Path, unit: &str) -> Result<(), Failure> {
    systemctl("stop", unit)?;
    let moved = move_aside(storage).map_err(|cause| {
        Failure::failed(format!(
            "`{}` could not be moved away: {cause}",
            storage.display()
        ))
    });
    let started = systemctl("start", unit);
    warn(format_args!(
        "an earlier initialisation was interrupted before its keys were stored, so that storage can never be \
         unsealed: it was moved to `{}`, and OpenBao starts with an empty one",
        moved?.display()
    ));
    started
}

/// Returns whether a raft storage was ever unsealed. If so, a person has the keys, and the storage
/// must stay.
///
/// A node that becomes active writes `core/lock`; initialising does not. The server is sealed and
/// its API does not tell, but the names of its entries are in clear in `vault.db`.
///
/// # Errors
/// A folder that is not a raft storage, or that cannot be read.
pub(crate) fn was_ever_unsealed(storage: &Path) -> Result<bool, Failure> {
    let path = storage.join("vault.db");
    let contains = File::open(&path).and_then(|file| contains_bytes(file, b"core/lock"));
    contains.map_err(|cause| {
        Failure::failed(format!("`{}` could not be read: {cause}", path.display()))
            .hint("`--start-over-storage` names the folder of OpenBao's raft storage")
    })
}

fn contains_bytes(mut file: File, searched: &[u8]) -> io::Result<bool> {
    let mut window = Vec::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(false);
        }
        window.extend_from_slice(&block[..count]);
        if window.windows(searched.len()).any(|part| part == searched) {
            return Ok(true);
        }
        // the searched bytes may be in two blocks
        window.drain(..window.len().saturating_sub(searched.len() - 1));
    }
}

/// Renames the storage and creates an empty folder with the same owner and mode in its place. The
/// parent folder may belong to OpenBao's user: only a folder that was created here is given to that
/// user.
fn move_aside(storage: &Path) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    // through a link, such as systemd's, to a name beside the folder itself
    let storage = storage.canonicalize()?;
    let (Some(parent), Some(name)) = (storage.parent(), storage.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut aside = name.to_owned();
    aside.push(format!(".lost-{seconds}"));
    let parent = Folder::open(parent, Guard::Links)?;
    let metadata = parent.open_entry(name)?.reopen()?.metadata()?;
    renameat_with(&parent, name, &parent, &aside, RenameFlags::NOREPLACE)?;
    mkdirat(&parent, name, Mode::from_raw_mode(0o700))?;
    let created = parent.open_private(name)?;
    if fs::read_dir(created.within(""))?.next().is_some() {
        return Err(io::Error::other("another folder was created in its place"));
    }
    let created = created.reopen()?;
    fchown(
        &created,
        Some(Uid::from_raw(metadata.uid())),
        Some(Gid::from_raw(metadata.gid())),
    )?;
    fchmod(&created, Mode::from_raw_mode(metadata.mode() & 0o7777))?;
    Ok(parent.path().join(aside))
}
