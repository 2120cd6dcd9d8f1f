//! The archive on this machine, checked on its way.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use cli::Failure;

use crate::{chosen::Chosen, encryption::Identities};

/// Brings the archive to `folder`. There it is as OpenBao made it: its content is encrypted with the cluster's keys.
///
/// # Errors
/// A snapshot that is damaged or cannot be read, no room.
pub(crate) fn fetch(
    chosen: &Chosen<'_>,
    identities: &Identities,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let path = folder.join("archive");
    let unwritable = |cause: &io::Error| {
        Failure::failed(format!(
            "`{}` could not be written: {cause}",
            path.display()
        ))
    };
    let file = File::create_new(&path).map_err(|cause| unwritable(&cause))?;
    chosen.copy(identities, file, unwritable)?;
    Ok(path)
}
