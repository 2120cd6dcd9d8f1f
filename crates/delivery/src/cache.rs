//! The copy on disk for the day OpenBao cannot be used.
//!
//! One file, `secret.json`, in a folder that only this user may enter. It names the secret it is of,
//! and carries a digest, so that a damaged copy or another secret's is never handed to a service.
//! Its values may be sealed to this machine.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use openbao::kv;
use rustix::fs::{FlockOperation, flock};

use crate::{
    Copy, Seal, SealError,
    error::Error,
    private_file::{self, Unusable},
    rejection::{self, Rejection},
    workplace::{self, open_private},
};

/// The file's name.
const COPY: &str = "secret.json";

/// The largest file that is read: OpenBao's largest answer, with each character escaped.
const LARGEST_COPY: u64 = 256 << 20;

/// How far ahead of the clock a copy may be dated and still count as confirmed just now: clocks are
/// adjusted by seconds all the time.
const CLOCK_ADJUSTMENT: Duration = Duration::from_secs(60);

/// How long ago OpenBao confirmed a copy. `None` where the copy is dated in the future, because the
/// clock was wrong then or is wrong now: its age is unknown.
pub type Age = Option<Duration>;

/// Where one secret's copy is kept.
pub struct Cache {
    folder: PathBuf,
    /// Which secret: namespace, mount and path.
    identity: String,
    /// The oldest copy that may stand in, counted from when OpenBao confirmed it.
    pub max_age: Option<Duration>,
    /// Whether copies are sealed to this machine.
    pub seal: Seal,
}

/// What there is in place of OpenBao.
#[derive(Debug)]
pub enum Found {
    /// A copy, and how long ago OpenBao confirmed it.
    Copy(Copy, Age),
    /// Nothing.
    Nothing,
    /// A copy that OpenBao confirmed longer ago than it may have, or at an unknown time, and how long.
    TooOld(Age),
    /// Something that must not be used, and why.
    Unusable(String),
    /// A copy of another secret.
    OfAnother(String),
}

/// How a copy was kept.
#[derive(Debug)]
#[must_use = "somebody may believe that the copy is sealed"]
pub enum Kept {
    /// As it was to be, or as it was.
    AsAsked,
    /// Unsealed, as [`Seal::Auto`] allows, and why.
    Unsealed(SealError),
}

impl Cache {
    /// The cache in `folder` for the secret that `identity` names in full.
    pub fn new(folder: PathBuf, identity: String) -> Self {
        Self {
            folder,
            identity,
            max_age: None,
            seal: Seal::default(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(COPY)
    }

    /// The copy that may stand in for OpenBao: whole, of the right secret, and not too old. One that
    /// is sealed stays so until its values are asked for.
    pub fn read(&self) -> Found {
        match self.look() {
            Found::Copy(_, age) if self.is_too_old(age) => Found::TooOld(age),
            // whoever can write to the disk could have put it there
            Found::Copy(copy, _) if self.seal == Seal::Always && !copy.is_sealed() => {
                Found::Unusable(format!("`{}` is not sealed", self.file().display()))
            }
            found => found,
        }
    }

    /// Returns whether a copy of this age may not stand in. An unknown age may be any.
    pub fn is_too_old(&self, age: Age) -> bool {
        self.max_age
            .is_some_and(|most| age.is_none_or(|age| age > most))
    }

    fn look(&self) -> Found {
        let path = self.file();
        let unusable = |reason: &str| Found::Unusable(format!("`{}` {reason}", path.display()));
        let content = match private_file::read(&path, LARGEST_COPY) {
            Ok(content) => content,
            Err(Unusable::Absent) => return Found::Nothing,
            Err(Unusable::Unreadable(cause)) => {
                return unusable(&format!("cannot be read: {cause}"));
            }
            Err(Unusable::Odd) => return unusable("is no copy of a secret"),
            Err(Unusable::OfOthers) => return unusable("may be changed by other users"),
        };
        match Copy::parse(&content.bytes) {
            None => unusable("is damaged"),
            Some(copy) if copy.secret != self.identity => Found::OfAnother(format!(
                "`{}` is of another secret: `{}`",
                path.display(),
                copy.secret
            )),
            Some(copy) => Found::Copy(copy, age_since(content.modified)),
        }
    }

    /// Keeps `secret`. A copy of the same version is only marked as confirmed now, without waiting
    /// for the disk or starting a program. Of a version without keys no copy is kept: it is never
    /// put in place.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, what the system refuses, and a copy that must
    /// be sealed and cannot.
    pub fn keep(&self, secret: &kv::Secret) -> Result<Kept, Error> {
        let (Ok(values), version) = (&secret.values, &secret.metadata) else {
            return Ok(Kept::AsAsked);
        };
        let folder = private_file::folder(&self.folder)?;
        self.lock(&folder)?;
        let same = match self.look() {
            Found::Copy(copy, _) if copy.is_same(version, values) => Some(copy),
            _ => None,
        };
        let to_be_sealed = self.seal != Seal::Never;
        if same
            .as_ref()
            .is_some_and(|copy| copy.is_sealed() == to_be_sealed)
            && self.confirm()
        {
            return Ok(Kept::AsAsked);
        }
        if !to_be_sealed {
            self.write(&Copy::plain(&self.identity, version, values), &folder)?;
            return Ok(Kept::AsAsked);
        }
        match Copy::sealed(&self.identity, version, values) {
            Ok(copy) => self.write(&copy, &folder).map(|()| Kept::AsAsked),
            Err(cause) if self.seal == Seal::Always => {
                self.remove_unsealed()?;
                Err(cause.into())
            }
            // why it is not sealed was told when it was written
            Err(_) if same.is_some() && self.confirm() => Ok(Kept::AsAsked),
            Err(cause) => {
                self.write(&Copy::plain(&self.identity, version, values), &folder)?;
                Ok(Kept::Unsealed(cause))
            }
        }
    }

    /// Marks the copy as confirmed now where it is of this version; whether it is.
    pub fn confirm_version(&self, version: &kv::VersionMetadata) -> bool {
        matches!(self.look(), Found::Copy(copy, _) if copy.is_of(version)) && self.confirm()
    }

    /// Marks the copy as confirmed now; whether that could be done.
    fn confirm(&self) -> bool {
        let marked = File::open(self.file()).and_then(|file| file.set_modified(SystemTime::now()));
        marked.is_ok()
    }

    fn write(&self, copy: &Copy, folder: &File) -> Result<(), Error> {
        let text = copy.to_text();
        let text =
            text.map_err(|cause| Error::io("write", &self.file(), io::Error::from(cause)))?;
        private_file::replace(folder, &self.file(), &text)
    }

    /// No copy is better than one that others could read from the disk; an earlier one that is sealed
    /// may stay.
    fn remove_unsealed(&self) -> Result<(), Error> {
        let is_sealed = matches!(self.look(), Found::Copy(copy, _) if copy.is_sealed());
        let path = self.file();
        private_file::remove(&private_file::draft(&path))?;
        if is_sealed {
            return Ok(());
        }
        private_file::remove(&path)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that a copy and its notes may have in `folder`.
    pub(crate) fn own_files(folder: &Path) -> Vec<PathBuf> {
        let names = [COPY].into_iter().chain(rejection::FILES);
        names
            .flat_map(|name| [folder.join(name), private_file::draft(&folder.join(name))])
            .collect()
    }

    /// Dates the copy as confirmed at `time`.
    pub(crate) fn date(&self, time: SystemTime) -> Result<(), Error> {
        let path = self.file();
        File::open(&path)
            .and_then(|file| file.set_modified(time))
            .map_err(|cause| Error::io("date", &path, cause))
    }

    /// Removes the whole folder, where nothing but a copy and its notes is in it; whether there was one.
    ///
    /// # Errors
    /// A folder with something else in it, or that others may change, and what the system refuses.
    pub fn remove(folder: &Path) -> Result<bool, Error> {
        if fs::symlink_metadata(folder).is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound)
        {
            return Ok(false);
        }
        let opened = open_private(folder)?;
        flock(&opened, FlockOperation::LockExclusive)
            .map_err(|cause| Error::io("lock", folder, cause))?;
        let ours = Self::own_files(folder);
        let entries =
            fs::read_dir(folder).map_err(|cause| Error::io("look into", folder, cause))?;
        for entry in entries {
            let entry = entry.map_err(|cause| Error::io("look into", folder, cause))?;
            if !ours.contains(&entry.path()) {
                return Err(Error::Output {
                    path: folder.to_owned(),
                    reason: "holds files that vault-fetch did not write",
                });
            }
        }
        ours.iter().try_for_each(|path| workplace::remove(path))?;
        fs::remove_dir(folder).map_err(|cause| Error::io("remove", folder, cause))?;
        Ok(true)
    }

    /// Takes the copy away, and the note of a version that was rejected: the secret is gone from the
    /// server. What is of another secret stays.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn forget(&self) -> Result<(), Error> {
        if !self.folder.exists() {
            return Ok(());
        }
        let folder = open_private(&self.folder)?;
        self.lock(&folder)?;
        if matches!(self.look(), Found::OfAnother(_)) {
            return Ok(());
        }
        private_file::remove(&self.file())?;
        Rejection::forget(&self.folder)
    }

    /// Lets one run at a time write, until `folder` is closed.
    fn lock(&self, folder: &File) -> Result<(), Error> {
        flock(folder, FlockOperation::LockExclusive)
            .map_err(|cause| Error::io("lock", &self.folder, cause))
    }
}

/// Returns how long ago `confirmed` was, as far as the clock tells.
fn age_since(confirmed: SystemTime) -> Age {
    match SystemTime::now().duration_since(confirmed) {
        Ok(age) => Some(age),
        Err(ahead) => (ahead.duration() <= CLOCK_ADJUSTMENT).then_some(Duration::ZERO),
    }
}
