//! The archive on this machine, checked on its way.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use cli::Failure;

use crate::{
    archive::{self, Archive},
    chosen::Chosen,
    digest::Digesting,
    encryption::Identities,
    metadata::Metadata,
    tee::{Tee, Trouble},
};

/// Brings the archive to `folder`. There it is as OpenBao made it: its content is encrypted with the cluster's keys.
///
/// # Errors
/// A snapshot that is damaged or cannot be read, no room.
pub(crate) fn fetch(
    chosen: &Chosen<'_>,
    metadata: &Metadata,
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
    let mut file = File::create_new(&path).map_err(|cause| unwritable(&cause))?;
    let mut stored = Digesting::new(chosen.place.open(&chosen.entry.name)?);
    let (checked, trouble) = if metadata.is_encrypted() {
        let mut tee = Tee::new(identities.open(&mut stored)?, &mut file);
        (archive::check(&mut tee), tee.finish().1)
    } else {
        let mut tee = Tee::new(&mut stored, &mut file);
        (archive::check(&mut tee), tee.finish().1)
    };
    if let Some(Trouble::To(cause)) = &trouble {
        return Err(unwritable(cause));
    }
    io::copy(&mut stored, &mut io::sink()).map_err(|cause| {
        Failure::failed(format!("{} could not be read: {cause}", chosen.shown()))
    })?;
    let (_, stored) = stored.finish();
    let same = |archive: &Archive| {
        stored.sha256 == metadata.sha256 && archive.whole.sha256 == metadata.archive_sha256
    };
    let damaged = |why: &dyn std::fmt::Display| {
        Failure::failed(format!("{} is damaged: {why}", chosen.shown()))
    };
    match checked {
        Ok(archive) if same(&archive) => Ok(path),
        Ok(_) => Err(damaged(
            &"its SHA-256 is another one than when it was saved",
        )),
        Err(cause) => Err(damaged(&cause)),
    }
}
