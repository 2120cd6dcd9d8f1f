//! Beginning anew where the answer to an initialisation was lost.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use cli::{Failure, systemctl, warn};
use rustix::fs::{Gid, Mode, RenameFlags, Uid, fchmod, fchown, mkdirat, renameat_with};
use secure_fs::{Folder, Guard};

/// Moves the storage of an OpenBao away whose keys nobody has, and starts it on an empty one. Nothing is
/// deleted: should somebody have initialised it by hand meanwhile, it is there to be moved back.
///
/// # Errors
/// A unit that cannot be stopped or started, or a storage that cannot be moved.
pub(crate) fn start_over(storage: &Path, unit: &str) -> Result<(), Failure> {
    systemctl("stop", unit)?;
    let moved = put_aside(storage).map_err(|cause| {
        Failure::failed(format!(
            "`{}` could not be moved away: {cause}",
            storage.display()
        ))
    });
    let started = systemctl("start", unit);
    warn(format_args!(
        "an earlier initialisation was cut off before its keys were kept, so nobody can ever unseal that storage: it was moved to `{}`, and OpenBao begins anew",
        moved?.display()
    ));
    started
}

/// Whether a raft storage was ever opened with its keys: then somebody has them, and what is in it counts.
///
/// The node that becomes active writes `core/lock`, which initialising does not. The server is sealed and
/// cannot be asked; but keys of its storage stand in clear in `vault.db`.
///
/// # Errors
/// A folder that is no raft storage, or that cannot be read.
pub(crate) fn was_opened(storage: &Path) -> Result<bool, Failure> {
    let path = storage.join("vault.db");
    let found = File::open(&path).and_then(|file| contains(file, b"core/lock"));
    found.map_err(|cause| {
        Failure::failed(format!("`{}` could not be read: {cause}", path.display()))
            .hint("`--start-over-storage` names the folder of OpenBao's raft storage")
    })
}

fn contains(mut file: File, searched: &[u8]) -> io::Result<bool> {
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
        // What is searched may lie across two blocks.
        window.drain(..window.len().saturating_sub(searched.len() - 1));
    }
}

/// An empty folder like this one takes its place. The folder above may be OpenBao's own: whatever its user
/// puts there meanwhile, only what was made here is given to it.
fn put_aside(storage: &Path) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    // Through a link, systemd's for instance: beside the folder itself.
    let storage = storage.canonicalize()?;
    let (Some(parent), Some(name)) = (storage.parent(), storage.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut aside = name.to_owned();
    aside.push(format!(".lost-{seconds}"));
    let parent = Folder::open(parent, Guard::Links)?;
    let like = parent.entry(name)?.file()?.metadata()?;
    renameat_with(&parent, name, &parent, &aside, RenameFlags::NOREPLACE)?;
    mkdirat(&parent, name, Mode::from_raw_mode(0o700))?;
    let made = parent.existing_private(name)?;
    if fs::read_dir(made.within(""))?.next().is_some() {
        return Err(io::Error::other("another folder was put in its place"));
    }
    let made = made.file()?;
    fchown(
        &made,
        Some(Uid::from_raw(like.uid())),
        Some(Gid::from_raw(like.gid())),
    )?;
    fchmod(&made, Mode::from_raw_mode(like.mode() & 0o7777))?;
    Ok(parent.path().join(aside))
}
