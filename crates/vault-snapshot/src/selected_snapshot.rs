//! The selection of a snapshot from the backends, and its verification.

use std::{
    io::{self, Read},
    path::Path,
};

use zts_cli::{Failure, Progress, warn};

use crate::{
    archive::{CopyError, Inspection, RaftPosition, verify_and_copy},
    cli::PlaceArgs,
    description::Description,
    digest::{Digest, DigestStream},
    encryption::{self, Identities},
    store::{Backend, Backends, Flaw, ListedSnapshot, StoredSnapshot},
    timestamp::Timestamp,
};

/// The number of bytes that show whether a file is encrypted.
const MAGIC: u64 = 32;

/// A snapshot in one of the backends.
pub(crate) struct SelectedSnapshot<'a> {
    pub(crate) backend: &'a dyn Backend,
    pub(crate) snapshot: StoredSnapshot,
    /// Is true if it may lack a description, because the user named it and no signature is needed.
    pub(crate) may_lack_description: bool,
}

/// A snapshot that was read to its end and is intact.
pub(crate) struct VerifiedSnapshot {
    /// The digest of the stored file.
    pub(crate) stored: Digest,
    pub(crate) is_encrypted: bool,
    /// The position of OpenBao's archive; `None` where it could not be decrypted.
    pub(crate) position: Option<RaftPosition>,
}

impl<'a> SelectedSnapshot<'a> {
    /// Selects the snapshot with this name, or else the newest one without a flaw in any backend.
    ///
    /// # Errors
    /// There is none, or a backend fails while no other has it.
    pub(crate) fn select(backends: &'a Backends, name: Option<&str>) -> Result<Self, Failure> {
        let (mut best, mut first_failure): (Option<Self>, _) = (None, None);
        for backend in &backends.all {
            let backend = backend.as_ref();
            let candidate = match name {
                Some(name) => Self::with_name(backends, backend, name),
                None => Self::newest_in(backends, backend, best.as_ref()),
            };
            match candidate {
                Ok(Some(candidate))
                    if best.as_ref().is_none_or(|best| candidate.is_better(best)) =>
                {
                    best = Some(candidate);
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
            (None, None) => Err(no_snapshot(name)),
        }
    }

    /// Returns whether it is preferred to another one: without a flaw first, then newer.
    fn is_better(&self, other: &Self) -> bool {
        let rank = |selected: &Self| {
            let StoredSnapshot { listed, flaw, .. } = &selected.snapshot;
            (flaw.is_none(), listed.timestamp)
        };
        rank(self) > rank(other)
    }

    /// Returns the snapshot with this name in a backend.
    ///
    /// # Errors
    /// The backend cannot be read.
    pub(crate) fn with_name(
        backends: &Backends,
        backend: &'a dyn Backend,
        name: &str,
    ) -> Result<Option<Self>, Failure> {
        let Some(listed) = backend.find_file(name)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            backend,
            snapshot: backend.describe(listed, &backends.keys)?,
            may_lack_description: backends.keys.is_empty(),
        }))
    }

    /// Returns the newest snapshot without a flaw in a backend, unless `best` is newer. Reads
    /// descriptions from the newest on, and no more than needed.
    ///
    /// # Errors
    /// The backend cannot be read, or all of its snapshots are dated ahead of the clock.
    fn newest_in(
        backends: &Backends,
        backend: &'a dyn Backend,
        best: Option<&Self>,
    ) -> Result<Option<Self>, Failure> {
        let best_timestamp = best.map(|best| best.snapshot.listed.timestamp);
        let past = without_future(backend, backend.list_snapshots()?)?.into_iter();
        for listed in past.take_while(|listed| Some(listed.timestamp) > best_timestamp) {
            let snapshot = backend.describe(listed, &backends.keys)?;
            if snapshot.flaw.is_none() {
                return Ok(Some(Self {
                    backend,
                    snapshot,
                    may_lack_description: false,
                }));
            }
        }
        Ok(None)
    }

    /// Returns its name and its place.
    pub(crate) fn display_name(&self) -> String {
        format!(
            "{} in {}",
            self.snapshot.listed.name,
            self.backend.display_name()
        )
    }

    /// Returns its description, and `None` where it lacks one and may.
    ///
    /// # Errors
    /// It has a flaw.
    pub(crate) fn description(&self) -> Result<Option<&Description>, Failure> {
        let Some(flaw) = self.snapshot.flaw else {
            return Ok(self.snapshot.description.as_ref());
        };
        if flaw == Flaw::NoDescription && self.may_lack_description {
            return Ok(None);
        }
        let failure = Failure::failed(format!("{}: {flaw}", self.display_name()));
        Err(match flaw {
            Flaw::NoDescription | Flaw::Signature(_) => failure
                .hint("to use it all the same, name it or its file, and omit `--verification-key`"),
            Flaw::OtherVersion | Flaw::OtherSnapshot | Flaw::OtherSize => failure.hint(format!(
                "to use the file as it is, move `{}.json` away, and name the file",
                self.snapshot.listed.name
            )),
        })
    }

    /// Reads it to its end and verifies it.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub(crate) fn verify(&self, identities: &Identities) -> Result<VerifiedSnapshot, Failure> {
        self.verify_and_copy(identities, io::sink(), |cause| Failure::failed(cause))
    }

    /// Verifies it as [`SelectedSnapshot::verify`], and writes OpenBao's archive to `target` on the
    /// way, where it can be decrypted.
    ///
    /// # Errors
    /// In addition, an error of `target`, to which `write_failure` is applied.
    pub(crate) fn verify_and_copy(
        &self,
        identities: &Identities,
        target: impl io::Write,
        write_failure: impl FnOnce(&io::Error) -> Failure,
    ) -> Result<VerifiedSnapshot, Failure> {
        let description = self.description()?;
        let read_failure = |cause: io::Error| {
            Failure::failed(format!(
                "{} could not be read: {cause}",
                self.display_name()
            ))
        };
        let size = self.snapshot.listed.stored_size;
        let progress =
            Progress::begin_bytes(format_args!("verifying {}", self.display_name()), size);
        let rest = self.backend.open_snapshot(&self.snapshot.listed.name)?;
        let mut rest = progress.reader(rest);
        let mut magic = Vec::new();
        let read = (&mut rest).take(MAGIC).read_to_end(&mut magic);
        read.map_err(read_failure)?;
        let is_encrypted = match description {
            Some(description) => description.is_encrypted(),
            None => encryption::is_encrypted(&magic),
        };
        if description.is_none() {
            self.require_identity(is_encrypted, identities)?;
        }
        // A backend that sends more than it listed must not keep this running for ever.
        let limit = self.snapshot.listed.stored_size.saturating_add(1);
        let mut stored = DigestStream::new(io::Cursor::new(magic).chain(rest).take(limit));
        let (inspection, archive) = inspect_archive(&mut stored, is_encrypted, identities, target)?;
        if let Some(CopyError::Write(cause)) =
            inspection.as_ref().and_then(|it| it.copy_error.as_ref())
        {
            return Err(write_failure(cause));
        }
        // The digest of the whole file says more than the place where the archive is damaged.
        io::copy(&mut stored, &mut io::sink()).map_err(read_failure)?;
        let (_, stored) = stored.finish();
        let archive = archive.unwrap_or_else(|| stored.clone());
        let position = compare_with_description(inspection, &stored, &archive, description)
            .map_err(|why| Failure::failed(format!("{} is damaged: {why}", self.display_name())))?;
        Ok(VerifiedSnapshot {
            stored,
            is_encrypted,
            position,
        })
    }

    /// Returns its description, after checking that there is an identity if it says that the
    /// snapshot is encrypted.
    ///
    /// # Errors
    /// The description cannot be used, and those of [`SelectedSnapshot::require_identity`].
    pub(crate) fn readable_description(
        &self,
        identities: &Identities,
    ) -> Result<Option<&Description>, Failure> {
        let description = self.description()?;
        self.require_identity(
            description.is_some_and(Description::is_encrypted),
            identities,
        )?;
        Ok(description)
    }

    /// Checks that there is an identity for an encrypted snapshot.
    ///
    /// # Errors
    /// It is encrypted, and there is no identity.
    pub(crate) fn require_identity(
        &self,
        is_encrypted: bool,
        identities: &Identities,
    ) -> Result<(), Failure> {
        if is_encrypted && identities.is_empty() {
            return Err(
                Failure::usage(format!("{} is encrypted", self.display_name()))
                    .hint("give the file with an age identity that opens it with `--age-identity`"),
            );
        }
        Ok(())
    }
}

/// Verifies the archive in a stored file, and computes its digest where it is encrypted. Returns
/// nothing for an encrypted one without an identity.
fn inspect_archive(
    stored: &mut impl Read,
    is_encrypted: bool,
    identities: &Identities,
    target: impl io::Write,
) -> Result<(Option<Inspection>, Option<Digest>), Failure> {
    if !is_encrypted {
        let inspection = verify_and_copy(stored, target).map_err(Failure::failed)?;
        return Ok((Some(inspection), None));
    }
    if identities.is_empty() {
        return Ok((None, None));
    }
    let mut archive = DigestStream::new(identities.decrypt(stored)?);
    let inspection = verify_and_copy(&mut archive, target).map_err(Failure::failed)?;
    Ok((Some(inspection), Some(archive.finish().1)))
}

/// Returns the position of the archive, which must be intact and the one that the description is
/// of.
fn compare_with_description(
    inspection: Option<Inspection>,
    stored: &Digest,
    archive: &Digest,
    description: Option<&Description>,
) -> io::Result<Option<RaftPosition>> {
    let differs = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    if description.is_some_and(|it| stored.size != it.size || stored.sha256 != it.sha256) {
        return Err(differs("its SHA-256 has changed since it was saved"));
    }
    let Some(inspection) = inspection else {
        return Ok(None);
    };
    let position = inspection.archive?;
    if let Some(CopyError::Read(cause)) = inspection.copy_error {
        return Err(cause); // the encryption is invalid behind the archive
    }
    let is_described = |it: &Description| {
        (it.raft_index, it.raft_term) == (position.index, position.term)
            && (it.archive_size, &it.archive_sha256) == (archive.size, &archive.sha256)
    };
    if description.is_some_and(|it| !is_described(it)) {
        return Err(differs(
            "OpenBao's archive in it differs from its description",
        ));
    }
    Ok(Some(position))
}

/// Removes the snapshots that are dated ahead of this machine's clock, with a warning. The order
/// stays.
///
/// # Errors
/// All are dated ahead.
pub(crate) fn without_future(
    backend: &dyn Backend,
    listed: Vec<ListedSnapshot>,
) -> Result<Vec<ListedSnapshot>, Failure> {
    let (future, past): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .partition(|listed| listed.timestamp.is_in_future());
    let Some(first) = future.first() else {
        return Ok(past);
    };
    let (place, name, now) = (backend.display_name(), &first.name, Timestamp::now());
    if past.is_empty() {
        return Err(Failure::failed(format!(
            "all snapshots in {place} are dated ahead of this clock ({now}), such as {name}"
        ))
        .hint("check this clock with `date`; if it is right, name the snapshot to use"));
    }
    warn(format_args!(
        "{} of the snapshots in {place} are dated ahead of this clock ({now}), and do not count as the newest, such as {name}",
        future.len(),
    ));
    Ok(past)
}

/// Splits the path of a snapshot's file into its name and its folder, which becomes the only place.
/// A name alone stays as it is.
pub(crate) fn split_path(
    snapshot: Option<&str>,
    places: &PlaceArgs,
) -> (Option<String>, PlaceArgs) {
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

/// Returns the failure for a snapshot that does not exist.
pub(crate) fn no_snapshot(name: Option<&str>) -> Failure {
    match name {
        Some(name) => Failure::failed(format!("there is no snapshot `{name}`"))
            .hint("`vault-snapshot list` shows the names"),
        None => Failure::failed("there is no snapshot"),
    }
}
