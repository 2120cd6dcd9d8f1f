//! Cached copies of a secret, used when OpenBao is unavailable.
//!
//! `secret.json` holds the proven version, which services have come up with. `unproven.json` holds
//! a newer, unproven version. While no version is proven, `replaced.json` holds the one that it
//! replaced. The files lie in a folder that only this user may enter. A copy names its secret and
//! carries a digest, so a damaged copy or another secret's is never used. Its values may be sealed
//! to this machine.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use zts_openbao::{SecretMap, kv};
use zts_secure_fs::Folder;

use crate::{
    CachedCopy, CopyAge, DeployedVersion, Proof, SealError, SealPolicy, SecretIdentity,
    cached_copy::age_since,
    error::Error,
    numbering,
    private_file::{self, Unusable, lock_folder, lock_or_create_folder},
    rejection::{self, Rejection},
    seal_keys,
};

/// The name of the proven version's copy.
const PROVEN: &str = "secret.json";
/// The name of the copy of an unproven version.
const UNPROVEN: &str = "unproven.json";
/// The name of the copy of a version that an unproven one replaced while none was proven.
const REPLACED: &str = "replaced.json";

/// All copies, in the order in which they stand in for OpenBao.
const COPIES: [Proof; 3] = [Proof::Unproven, Proof::Proven, Proof::Replaced];

/// The largest file that is read: OpenBao's largest answer, with each character escaped.
const LARGEST_COPY: u64 = 256 << 20;

/// The cached copies of one secret.
pub struct Cache {
    folder: PathBuf,
    /// The secret's namespace, mount and path.
    identity: SecretIdentity,
    /// The oldest copy that may stand in, counted from when OpenBao confirmed it.
    pub max_age: Option<Duration>,
    /// The policy for sealing copies to this machine.
    pub seal: SealPolicy,
}

/// The result of reading a copy.
#[derive(Debug)]
pub enum CachedCopyState {
    /// A copy, and how long ago OpenBao confirmed it.
    Usable(CachedCopy, CopyAge),
    /// There is no copy.
    Absent,
    /// A copy that is older than `max_age` or of unknown age, with that age.
    TooOld(CopyAge),
    /// A copy that must not be used, with the reason.
    Unusable(String),
    /// A copy of another secret, with a message that names both the file and that secret.
    OfOtherSecret(String),
}

/// The result of storing a copy.
#[derive(Debug)]
#[must_use = "the copy may be unsealed"]
pub enum StoreResult {
    /// Sealed or unsealed as configured, or there was nothing to store.
    AsConfigured,
    /// Unsealed, as [`SealPolicy::Auto`] allows, with the reason.
    Unsealed(SealError),
}

impl Cache {
    /// Creates the cache in `folder` for the secret that `identity` names in full.
    pub fn new(folder: PathBuf, identity: SecretIdentity) -> Self {
        Self {
            folder,
            identity,
            max_age: None,
            seal: SealPolicy::default(),
        }
    }

    pub(crate) fn file(&self, proof: Proof) -> PathBuf {
        self.folder.join(match proof {
            Proof::Proven => PROVEN,
            Proof::Unproven => UNPROVEN,
            Proof::Replaced => REPLACED,
        })
    }

    /// Returns the newest copy that may stand in for OpenBao: undamaged, of this secret, and not
    /// too old. A sealed copy is opened when its values are read.
    pub fn read(&self) -> CachedCopyState {
        let unproven = self.read_copy(Proof::Unproven);
        if matches!(unproven, CachedCopyState::Usable(..)) {
            return unproven;
        }
        match self.read_copy(Proof::Proven) {
            CachedCopyState::Absent => self.read_copy(Proof::Replaced),
            proven => proven,
        }
    }

    /// Returns the copy of `version`, on the same conditions.
    pub fn copy_of(&self, version: &DeployedVersion) -> Option<CachedCopy> {
        let of_version = |proof| match self.read_copy(proof) {
            CachedCopyState::Usable(copy, _) => Some(copy).filter(|it| it.is_deployed(version)),
            _ => None,
        };
        COPIES.into_iter().find_map(of_version)
    }

    /// Returns the version of the proven copy.
    pub fn proven_version(&self) -> Option<DeployedVersion> {
        match self.read_copy(Proof::Proven) {
            CachedCopyState::Usable(copy, _) => Some(copy.to_deployed()),
            _ => None,
        }
    }

    /// Returns the version to roll back to where nothing is deployed: the proven one or, while none
    /// is proven, an earlier one.
    pub fn rollback_version(&self) -> Option<DeployedVersion> {
        let of_copy = |proof| match self.read_copy(proof) {
            CachedCopyState::Usable(copy, _) => Some(copy.to_deployed()),
            _ => None,
        };
        [Proof::Proven, Proof::Replaced, Proof::Unproven]
            .into_iter()
            .find_map(of_copy)
    }

    /// Returns one of the copies, on the same conditions as [`Cache::read`].
    pub fn read_copy(&self, proof: Proof) -> CachedCopyState {
        let state = self.classify_copy(proof);
        let file = self.file(proof);
        let file = file.display();
        match &state {
            CachedCopyState::Usable(copy, age) => {
                tracing::debug!(%file, version = copy.version, ?age, "cached copy is usable");
            }
            CachedCopyState::TooOld(age) => tracing::debug!(%file, ?age, "cached copy is too old"),
            CachedCopyState::Absent => tracing::debug!(%file, "no cached copy"),
            CachedCopyState::Unusable(reason) | CachedCopyState::OfOtherSecret(reason) => {
                tracing::debug!(%file, reason, "cached copy cannot be used");
            }
        }
        state
    }

    fn classify_copy(&self, proof: Proof) -> CachedCopyState {
        match self.inspect(proof) {
            CachedCopyState::Usable(_, age) if self.is_too_old(age) => CachedCopyState::TooOld(age),
            // anyone who can write to the disk could have put it there
            CachedCopyState::Usable(copy, _)
                if self.seal == SealPolicy::Always && !copy.is_sealed() =>
            {
                CachedCopyState::Unusable(format!("`{}` is not sealed", self.file(proof).display()))
            }
            found => found,
        }
    }

    /// Returns whether a copy of this age exceeds `max_age`. An unknown age exceeds any limit.
    pub fn is_too_old(&self, age: CopyAge) -> bool {
        self.max_age
            .is_some_and(|most| age.is_none_or(|age| age > most))
    }

    pub(crate) fn inspect(&self, proof: Proof) -> CachedCopyState {
        let found = self.try_inspect(proof);
        found.unwrap_or_else(|error| CachedCopyState::Unusable(error.to_string()))
    }

    /// Inspects a copy. An error of the disk does not show that there is none.
    pub(crate) fn try_inspect(&self, proof: Proof) -> Result<CachedCopyState, Error> {
        let path = self.file(proof);
        let unusable =
            |reason: &str| CachedCopyState::Unusable(format!("`{}` {reason}", path.display()));
        let content = match private_file::read(&path, LARGEST_COPY) {
            Ok(content) => content,
            Err(Unusable::Absent) => return Ok(CachedCopyState::Absent),
            Err(Unusable::Unreadable(cause)) => return Err(Error::io("read", &path, cause)),
            Err(Unusable::NotAFile) => return Ok(unusable("is not a copy of a secret")),
            Err(Unusable::WritableByOthers) => {
                return Ok(unusable("may be changed by other users"));
            }
        };
        Ok(match CachedCopy::parse(&content.bytes, proof) {
            None => unusable("is damaged"),
            Some(copy) if copy.secret != self.identity => CachedCopyState::OfOtherSecret(format!(
                "`{}` is of another secret: `{}`",
                path.display(),
                copy.secret
            )),
            Some(copy) => CachedCopyState::Usable(copy, age_since(content.modified)),
        })
    }

    /// Stores `secret` as the proven version or beside it. A copy of the same version is only
    /// marked as confirmed now, without waiting for the disk or starting a program. A version
    /// without keys gets no copy, because it is not deployed.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, the system's errors, and a copy that must be
    /// sealed and cannot.
    pub fn store(&self, secret: &kv::SecretVersion, proof: Proof) -> Result<StoreResult, Error> {
        let (Ok(values), version) = (&secret.values, &secret.metadata) else {
            return Ok(StoreResult::AsConfigured);
        };
        let (folder, _lock) = lock_or_create_folder(&self.folder)?;
        if proof == Proof::Unproven {
            let _ = self.keep_replaced(version); // storing the new copy shows the error
        }
        let stored = self.store_one(values, version, proof, &folder)?;
        if proof == Proof::Proven {
            self.remove_one(Proof::Unproven)?; // of another version than the newest, or of this one
            self.remove_one(Proof::Replaced)?;
        }
        Ok(stored)
    }

    /// Keeps the copy of the version that `version` replaces, where none is proven.
    fn keep_replaced(&self, version: &kv::VersionMetadata) -> io::Result<()> {
        let is_another = matches!(self.inspect(Proof::Unproven), CachedCopyState::Usable(copy, _) if !copy.is_of(version));
        if is_another && !self.has_any([Proof::Proven, Proof::Replaced]) {
            self.rename(Proof::Unproven, Proof::Replaced)?;
        }
        Ok(())
    }

    pub(crate) fn rename(&self, from: Proof, to: Proof) -> io::Result<()> {
        fs::rename(self.file(from), self.file(to))
    }

    fn store_one(
        &self,
        values: &SecretMap,
        version: &kv::VersionMetadata,
        proof: Proof,
        folder: &Folder,
    ) -> Result<StoreResult, Error> {
        let same = match self.inspect(proof) {
            CachedCopyState::Usable(copy, _) if copy.is_same(version, values) => Some(copy),
            _ => None,
        };
        let to_be_sealed = self.seal != SealPolicy::Never;
        let is_as_configured = |copy: &CachedCopy| copy.is_sealed() == to_be_sealed;
        if same.as_ref().is_some_and(is_as_configured) && self.confirm(proof) {
            return Ok(StoreResult::AsConfigured);
        }
        let plain = || CachedCopy::plain(&self.identity, version, values, proof);
        if !to_be_sealed {
            self.write(&plain(), folder)?;
            return Ok(StoreResult::AsConfigured);
        }
        let key = seal_keys::current(&self.folder);
        match key.and_then(|key| CachedCopy::sealed(&self.identity, version, values, proof, key)) {
            Ok(copy) => self
                .write(&copy, folder)
                .map(|()| StoreResult::AsConfigured),
            Err(cause) if self.seal == SealPolicy::Always => {
                self.remove_unsealed(proof)?;
                Err(cause.into())
            }
            // the reason was reported when the copy was written
            Err(_) if same.is_some() && self.confirm(proof) => Ok(StoreResult::AsConfigured),
            Err(cause) => {
                self.write(&plain(), folder)?;
                Ok(StoreResult::Unsealed(cause))
            }
        }
    }

    /// Marks the copy of this version, proven or not, as confirmed now; returns whether there is
    /// one.
    pub fn confirm_version(&self, version: &kv::VersionMetadata) -> bool {
        COPIES.into_iter().any(|proof| {
            matches!(self.inspect(proof), CachedCopyState::Usable(copy, _) if copy.is_of(version))
                && self.confirm(proof)
        })
    }

    /// Removes a copy, unless it is of another secret: a switch can declare one while this process
    /// runs.
    pub(crate) fn remove_own(&self, proof: Proof) -> Result<(), Error> {
        match self.try_inspect(proof)? {
            CachedCopyState::OfOtherSecret(_) => Ok(()),
            _ => self.remove_one(proof),
        }
    }

    fn remove_one(&self, proof: Proof) -> Result<(), Error> {
        private_file::remove_with_draft(&self.file(proof))
    }

    /// Marks a copy as confirmed now; returns whether that succeeded.
    fn confirm(&self, proof: Proof) -> bool {
        let opened = File::open(self.file(proof));
        let marked = opened.and_then(|file| file.set_modified(SystemTime::now()));
        marked.is_ok()
    }

    fn write(&self, copy: &CachedCopy, folder: &Folder) -> Result<(), Error> {
        let path = self.file(copy.proof);
        let text = copy.to_text();
        let text = text.map_err(|cause| Error::io("write", &path, io::Error::from(cause)))?;
        private_file::replace(folder, &path, &text)
    }

    /// Removes an unsealed copy and its draft, which others could read from the disk. Keeps a
    /// sealed copy.
    fn remove_unsealed(&self, proof: Proof) -> Result<(), Error> {
        let is_sealed =
            matches!(self.inspect(proof), CachedCopyState::Usable(copy, _) if copy.is_sealed());
        private_file::remove_with_draft(&private_file::draft_path(&self.file(proof)))?;
        if is_sealed {
            return Ok(());
        }
        self.remove_one(proof)
    }

    /// Returns the cache folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the files that copies and their notes have in `folder`.
    pub(crate) fn file_paths(folder: &Path) -> Vec<PathBuf> {
        let names = [PROVEN, UNPROVEN, REPLACED];
        let names = names
            .into_iter()
            .chain(rejection::FILES)
            .chain(numbering::FILES);
        names
            .flat_map(|name| {
                [
                    folder.join(name),
                    private_file::draft_path(&folder.join(name)),
                ]
            })
            .collect()
    }

    /// Dates the proven copy as confirmed at `time`.
    pub(crate) fn set_confirmed(&self, time: SystemTime) -> Result<(), Error> {
        let path = self.file(Proof::Proven);
        File::open(&path)
            .and_then(|file| file.set_modified(time))
            .map_err(|cause| Error::io("date", &path, cause))
    }

    /// Removes the copies and the rejection of a secret that is gone from the server. A copy of
    /// another secret stays.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and the system's errors.
    pub fn remove_copies(&self) -> Result<(), Error> {
        let Some(_locked) = lock_folder(&self.folder)? else {
            return Ok(());
        };
        for proof in COPIES {
            self.remove_own(proof)?;
        }
        numbering::remove_in(&self.folder)?;
        Rejection::remove_in(&self.folder)
    }
}
