//! Which snapshot is meant, and whether it is what it was.

use std::{io, path::Path};

use cli::Failure;

use crate::{
    cli::Places,
    digest::{Digest, Digesting},
    encryption::Identities,
    inspection::{Inspected, Trouble, inspect},
    metadata::Metadata,
    moment::Moment,
    store::{Entry, Place, Stores},
};

/// A snapshot in one of the places.
pub(crate) struct Chosen<'a> {
    pub(crate) place: &'a dyn Place,
    pub(crate) entry: Entry,
}

impl<'a> Chosen<'a> {
    /// The snapshot of this name, or else the newest one in any place that is not flawed at first sight.
    ///
    /// # Errors
    /// There is none, or a place that cannot be looked into while no other has it.
    pub(crate) fn find(stores: &'a Stores, name: Option<&str>) -> Result<Self, Failure> {
        let (mut best, mut first_failure): (Option<Self>, _) = (None, None);
        for place in &stores.places {
            let place = place.as_ref();
            let newer_than = best.as_ref().map(|best| best.entry.listed.moment);
            match Self::newest(place, name, newer_than) {
                Ok(found) => best = found.or(best),
                Err(failure) => {
                    first_failure.get_or_insert(failure);
                }
            }
        }
        match (best, first_failure) {
            (Some(best), failure) => {
                if let Some(failure) = failure {
                    cli::warn(failure.message());
                }
                Ok(best)
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(nothing(name)),
        }
    }

    /// The one in this place. Descriptions are read from the newest on, and no further than needed.
    fn newest(
        place: &'a dyn Place,
        name: Option<&str>,
        newer_than: Option<Moment>,
    ) -> Result<Option<Self>, Failure> {
        let listed = place.list()?.into_iter();
        let newer = listed.take_while(|listed| Some(listed.moment) > newer_than);
        for listed in newer.filter(|listed| name.is_none_or(|name| listed.name == name)) {
            let entry = place.entry(listed)?;
            if name.is_some() || entry.flaw().is_none() {
                return Ok(Some(Self { place, entry }));
            }
        }
        Ok(None)
    }

    /// How people know it.
    pub(crate) fn shown(&self) -> String {
        format!("{} in {}", self.entry.listed.name, self.place.shown())
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
        let never = |cause: &io::Error| Failure::failed(cause);
        self.copy(identities, io::sink(), never)
    }

    /// As [`Chosen::check`], and writes OpenBao's archive to `to` on the way, where it can be read.
    ///
    /// # Errors
    /// Besides, what `unwritable` makes of trouble with `to`.
    pub(crate) fn copy(
        &self,
        identities: &Identities,
        to: impl io::Write,
        unwritable: impl FnOnce(&io::Error) -> Failure,
    ) -> Result<bool, Failure> {
        let metadata = self.metadata()?;
        let bad = |why: &dyn std::fmt::Display| {
            Failure::failed(format!("{} is damaged: {why}", self.shown()))
        };
        let mut stored = Digesting::new(self.place.open(&self.entry.listed.name)?);
        let (inspected, whole) = if !metadata.is_encrypted() {
            (Some(inspect(&mut stored, to)), None)
        } else if identities.is_empty() {
            (None, None)
        } else {
            let mut archive = Digesting::new(identities.open(&mut stored)?);
            let inspected = inspect(&mut archive, to);
            (Some(inspected), Some(archive.finish().1))
        };
        let inspected = inspected.transpose().map_err(Failure::failed)?;
        if let Some(Some(Trouble::To(cause))) = inspected.as_ref().map(|seen| &seen.trouble) {
            return Err(unwritable(cause));
        }
        // An end in the middle says less than the digest of all.
        io::copy(&mut stored, &mut io::sink()).map_err(|cause| {
            Failure::failed(format!("{} could not be read: {cause}", self.shown()))
        })?;
        let (_, stored) = stored.finish();
        if stored.size != metadata.size || stored.sha256 != metadata.sha256 {
            return Err(bad(&"its SHA-256 is another one than when it was saved"));
        }
        let Some(inspected) = inspected else {
            return Ok(false);
        };
        match compare(inspected, &whole.unwrap_or(stored), metadata) {
            Ok(()) => Ok(true),
            Err(cause) => Err(bad(&cause)),
        }
    }
}

/// Whether the archive is whole, and the one that the description is of.
fn compare(inspected: Inspected, whole: &Digest, metadata: &Metadata) -> io::Result<()> {
    let archive = inspected.archive?;
    if let Some(Trouble::From(cause)) = inspected.trouble {
        return Err(cause); // the encryption is wrong behind all that was in it
    }
    let found = (archive.index, archive.term, whole.size, &whole.sha256);
    let told = (
        metadata.raft_index,
        metadata.raft_term,
        metadata.archive_size,
        &metadata.archive_sha256,
    );
    if found == told {
        return Ok(());
    }
    let other = "OpenBao's archive in it is another one than its description says";
    Err(io::Error::new(io::ErrorKind::InvalidData, other))
}

/// Splits the path of a snapshot's file into the folder, which becomes a place, and its name; a name alone stays.
pub(crate) fn with_folder(snapshot: Option<&str>, places: &Places) -> (Option<String>, Places) {
    let mut places = places.clone();
    let path = snapshot.filter(|text| text.contains('/')).map(Path::new);
    let Some((folder, name)) = path.and_then(|path| Some((path.parent()?, path.file_name()?)))
    else {
        return (snapshot.map(ToOwned::to_owned), places);
    };
    places.dir = vec![folder.to_owned()];
    places.s3.clear();
    (Some(name.to_string_lossy().into_owned()), places)
}

/// There is no such snapshot.
pub(crate) fn nothing(name: Option<&str>) -> Failure {
    match name {
        Some(name) => Failure::failed(format!("there is no snapshot `{name}`"))
            .hint("`vault-snapshot list` tells the names"),
        None => Failure::failed("there is no snapshot"),
    }
}
