//! Which snapshot is meant, and whether it is what it was.

use std::io;

use cli::Failure;

use crate::{
    archive,
    digest::Digesting,
    encryption::Identities,
    metadata::Metadata,
    store::{Entry, Place},
};

/// A snapshot in one of the places.
pub(crate) struct Chosen<'a> {
    pub(crate) place: &'a dyn Place,
    pub(crate) entry: Entry,
}

impl Chosen<'_> {
    /// How people know it.
    pub(crate) fn shown(&self) -> String {
        format!("{} in {}", self.entry.name, self.place.shown())
    }

    /// Its description.
    ///
    /// # Errors
    /// It has none, or is flawed at first sight.
    pub(crate) fn metadata(&self) -> Result<&Metadata, Failure> {
        match (&self.entry.metadata, self.entry.flaw()) {
            (Some(metadata), None) => Ok(metadata),
            (_, flaw) => {
                let flaw = flaw.unwrap_or("no description beside it");
                Err(Failure::failed(format!("{}: {flaw}", self.shown())))
            }
        }
    }

    /// Reads it to its end. Whether the archive's own digests were looked at: not where it is encrypted and
    /// there is no identity.
    ///
    /// # Errors
    /// One that is not what it was, or cannot be read.
    pub(crate) fn check(&self, identities: &Identities) -> Result<bool, Failure> {
        let metadata = self.metadata()?;
        let bad = |why: &dyn std::fmt::Display| {
            Failure::failed(format!("{} is damaged: {why}", self.shown()))
        };
        let mut stored = Digesting::new(self.place.open(&self.entry.name)?);
        let deep = !(metadata.is_encrypted() && identities.is_empty());
        let archive = if !deep {
            None
        } else if metadata.is_encrypted() {
            Some(archive::check(identities.open(&mut stored)?))
        } else {
            Some(archive::check(&mut stored))
        };
        // An end in the middle says less than the digest of all.
        io::copy(&mut stored, &mut io::sink()).map_err(|cause| {
            Failure::failed(format!("{} could not be read: {cause}", self.shown()))
        })?;
        let (_, stored) = stored.finish();
        if stored.size != metadata.size || stored.sha256 != metadata.sha256 {
            return Err(bad(&"its SHA-256 is another one than when it was saved"));
        }
        match archive {
            Some(Err(cause)) => Err(bad(&cause)),
            Some(Ok(archive)) if archive.whole.sha256 != metadata.archive_sha256 => Err(bad(
                &"what is encrypted in it is another archive than its description says",
            )),
            _ => Ok(deep),
        }
    }
}

/// There is no such snapshot.
pub(crate) fn nothing(name: Option<&str>) -> Failure {
    match name {
        Some(name) => Failure::failed(format!("there is no snapshot `{name}`"))
            .hint("`vault-snapshot list` tells the names"),
        None => Failure::failed("there is no snapshot"),
    }
}
