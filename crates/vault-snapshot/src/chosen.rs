//! Which snapshot is meant, and whether it is what it was.

use std::{
    io::{self, Read},
    path::Path,
};

use cli::{Failure, warn};

use crate::{
    archive::Archive,
    cli::Places,
    digest::{Digest, Digesting},
    encryption::{self, Identities},
    inspection::{Inspected, Trouble, inspect},
    metadata::Metadata,
    moment::Moment,
    store::{Entry, Flaw, Listed, Place, Stores},
};

/// How much of a file tells whether it is encrypted, in bytes.
const BEGINNING: u64 = 32;

/// A snapshot in one of the places.
pub(crate) struct Chosen<'a> {
    pub(crate) place: &'a dyn Place,
    pub(crate) entry: Entry,
    /// Whether it is taken without a description: a person named it, and nobody must have signed it.
    pub(crate) undescribed_is_fine: bool,
}

/// A snapshot that was read to its end.
pub(crate) struct Checked {
    /// Of the file.
    pub(crate) stored: Digest,
    /// Whether the file is encrypted.
    pub(crate) encrypted: bool,
    /// What OpenBao's archive says of itself; nothing where it could not be opened.
    pub(crate) archive: Option<Archive>,
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
            let found = match name {
                Some(name) => Self::named(stores, place, name),
                None => Self::newest(stores, place, best.as_ref()),
            };
            match found {
                Ok(Some(found)) if best.as_ref().is_none_or(|best| found.is_better(best)) => {
                    best = Some(found);
                }
                Ok(_) => {}
                Err(failure) => {
                    first_failure.get_or_insert(failure);
                }
            }
        }
        match (best, first_failure) {
            (Some(best), failure) => {
                if let Some(failure) = failure {
                    warn(failure.message());
                }
                Ok(best)
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(nothing(name)),
        }
    }

    /// Whether it is to be taken in place of another one, found before.
    fn is_better(&self, other: &Self) -> bool {
        let worth = |chosen: &Self| (chosen.entry.flaw.is_none(), chosen.entry.listed.moment);
        worth(self) > worth(other)
    }

    /// The one of this name in a place.
    ///
    /// # Errors
    /// A place that cannot be looked into.
    pub(crate) fn named(
        stores: &Stores,
        place: &'a dyn Place,
        name: &str,
    ) -> Result<Option<Self>, Failure> {
        let Some(listed) = place.named(name)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            place,
            entry: place.entry(listed, &stores.keys)?,
            undescribed_is_fine: stores.keys.is_empty(),
        }))
    }

    /// The newest one in a place, unless that is older than `best`. Descriptions are read from the newest on, and no
    /// further than needed.
    ///
    /// # Errors
    /// A place that cannot be looked into, or that has only snapshots which a wrong clock dated.
    pub(crate) fn newest(
        stores: &Stores,
        place: &'a dyn Place,
        best: Option<&Self>,
    ) -> Result<Option<Self>, Failure> {
        let newer_than = best.map(|best| best.entry.listed.moment);
        let past = past(place, place.list()?)?.into_iter();
        for listed in past.take_while(|listed| Some(listed.moment) > newer_than) {
            let entry = place.entry(listed, &stores.keys)?;
            if entry.flaw.is_none() {
                return Ok(Some(Self {
                    place,
                    entry,
                    undescribed_is_fine: false,
                }));
            }
        }
        Ok(None)
    }

    /// How people know it.
    pub(crate) fn shown(&self) -> String {
        format!("{} in {}", self.entry.listed.name, self.place.shown())
    }

    /// Its description; nothing where it has none, and is taken without.
    ///
    /// # Errors
    /// It is flawed at first sight.
    pub(crate) fn metadata(&self) -> Result<Option<&Metadata>, Failure> {
        let Some(flaw) = self.entry.flaw else {
            return Ok(self.entry.metadata.as_ref());
        };
        if flaw == Flaw::NoDescription && self.undescribed_is_fine {
            return Ok(None);
        }
        let failure = Failure::failed(format!("{}: {flaw}", self.shown()));
        Err(match flaw {
            Flaw::NoDescription | Flaw::Unsigned | Flaw::ForeignSignature => failure.hint(
                "to take it all the same, name it or its file, and leave `--verification-key` out",
            ),
            Flaw::OtherVersion | Flaw::OtherSnapshot | Flaw::OtherSize => failure.hint(format!(
                "to take the file as it is, move `{}.json` away, and name the file",
                self.entry.listed.name
            )),
        })
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// One that is not what it was, or cannot be read.
    pub(crate) fn check(&self, identities: &Identities) -> Result<Checked, Failure> {
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
    ) -> Result<Checked, Failure> {
        let metadata = self.metadata()?;
        let unreadable = |cause: io::Error| {
            Failure::failed(format!("{} could not be read: {cause}", self.shown()))
        };
        let mut rest = self.place.open(&self.entry.listed.name)?;
        let mut beginning = Vec::new();
        let read = (&mut rest).take(BEGINNING).read_to_end(&mut beginning);
        read.map_err(unreadable)?;
        let encrypted = match metadata {
            Some(metadata) => metadata.is_encrypted(),
            None => encryption::is_encrypted(&beginning),
        };
        if metadata.is_none() {
            self.needs_identity(encrypted, identities)?;
        }
        // A place that gives more than it listed is not read for ever.
        let most = self.entry.listed.stored_size.saturating_add(1);
        let mut stored = Digesting::new(io::Cursor::new(beginning).chain(rest).take(most));
        let (inspected, whole) = look_into(&mut stored, encrypted, identities, to)?;
        if let Some(Some(Trouble::To(cause))) = inspected.as_ref().map(|seen| &seen.trouble) {
            return Err(unwritable(cause));
        }
        // An end in the middle says less than the digest of all.
        io::copy(&mut stored, &mut io::sink()).map_err(unreadable)?;
        let (_, stored) = stored.finish();
        let whole = whole.unwrap_or_else(|| stored.clone());
        let archive = compare(inspected, &stored, &whole, metadata)
            .map_err(|why| Failure::failed(format!("{} is damaged: {why}", self.shown())))?;
        Ok(Checked {
            stored,
            encrypted,
            archive,
        })
    }

    /// What is encrypted needs somebody who can read it.
    ///
    /// # Errors
    /// It is encrypted, and there is no identity.
    pub(crate) fn needs_identity(
        &self,
        encrypted: bool,
        identities: &Identities,
    ) -> Result<(), Failure> {
        if encrypted && identities.is_empty() {
            return Err(Failure::usage(format!("{} is encrypted", self.shown()))
                .hint("name the file with an age identity that opens it with `--age-identity`"));
        }
        Ok(())
    }
}

/// Looks into the archive in what is stored, and digests it where that is something else. Nothing of the first where
/// it is encrypted and nobody can read it.
fn look_into(
    stored: &mut impl Read,
    encrypted: bool,
    identities: &Identities,
    to: impl io::Write,
) -> Result<(Option<Inspected>, Option<Digest>), Failure> {
    if !encrypted {
        let inspected = inspect(stored, to).map_err(Failure::failed)?;
        return Ok((Some(inspected), None));
    }
    if identities.is_empty() {
        return Ok((None, None));
    }
    let mut archive = Digesting::new(identities.open(stored)?);
    let inspected = inspect(&mut archive, to).map_err(Failure::failed)?;
    Ok((Some(inspected), Some(archive.finish().1)))
}

/// Returns what the archive says of itself, where it is whole, and the one that the description is of.
fn compare(
    inspected: Option<Inspected>,
    stored: &Digest,
    whole: &Digest,
    metadata: Option<&Metadata>,
) -> io::Result<Option<Archive>> {
    let other = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    if metadata.is_some_and(|told| stored.size != told.size || stored.sha256 != told.sha256) {
        return Err(other("its SHA-256 is another one than when it was saved"));
    }
    let Some(inspected) = inspected else {
        return Ok(None);
    };
    let archive = inspected.archive?;
    if let Some(Trouble::From(cause)) = inspected.trouble {
        return Err(cause); // the encryption is wrong behind all that was in it
    }
    let found = (archive.index, archive.term, whole.size, &whole.sha256);
    let fits = |told: &Metadata| {
        let size = told.archive_size;
        found == (told.raft_index, told.raft_term, size, &told.archive_sha256)
    };
    if metadata.is_some_and(|told| !fits(told)) {
        return Err(other(
            "OpenBao's archive in it is another one than its description says",
        ));
    }
    Ok(Some(archive))
}

/// Returns the snapshots of a place, newest first, without those that a wrong clock dated into the future, this machine's
/// or another; a warning says so.
///
/// # Errors
/// There are no others.
pub(crate) fn past(place: &dyn Place, listed: Vec<Listed>) -> Result<Vec<Listed>, Failure> {
    let (ahead, past): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .partition(|listed| listed.moment.is_ahead());
    let Some(first) = ahead.first() else {
        return Ok(past);
    };
    let (shown, name, now) = (place.shown(), &first.name, Moment::now());
    if past.is_empty() {
        return Err(Failure::failed(format!(
            "all snapshots in {shown} are dated ahead of this clock ({now}), such as {name}"
        ))
        .hint("see with `date` whether this clock is right; where it is, name the snapshot that you mean"));
    }
    warn(format_args!(
        "{} of the snapshots in {shown} are dated ahead of this clock ({now}), and not taken for the newest, such as {name}",
        ahead.len(),
    ));
    Ok(past)
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
