//! Places that hold snapshots.

mod bucket;
mod folder;
mod location;

use std::{
    env,
    io::Read,
    path::{Path, PathBuf},
};

use cli::Failure;
use secure_fs::Guard;

use crate::{
    cli::{Places, VerificationArgs},
    draft::{self, Draft},
    lock::Locked,
    metadata::{self, Metadata},
    moment::Moment,
    signature::VerificationKeys,
};
use bucket::S3;
use folder::Folder;

/// What a place's listing tells of a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) name: String,
    /// When it was taken, as its name says.
    pub(crate) moment: Moment,
    /// How many bytes are there.
    pub(crate) stored_size: u64,
}

impl Listed {
    /// Nothing where the name is not a snapshot's.
    fn new(name: String, stored_size: u64) -> Option<Self> {
        let moment = metadata::moment_of(&name)?;
        Some(Self {
            name,
            moment,
            stored_size,
        })
    }

    /// One of any name, of which `written` is known where the name does not say when it was taken.
    fn of_any_name(name: String, stored_size: u64, written: Moment) -> Self {
        Self {
            moment: metadata::moment_of(&name).unwrap_or(written),
            name,
            stored_size,
        }
    }
}

/// Whether a name looks like that of a snapshot, and is none that this program gives.
fn is_foreign(name: &str) -> bool {
    let snapshot = [".snap", ".snap.gz", ".snap.age"];
    let ending = snapshot.iter().any(|ending| name.ends_with(ending));
    ending && metadata::moment_of(name).is_none()
}

/// What is wrong with a snapshot at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("no description beside it")]
    NoDescription,
    #[error("its description is of another version of vault-snapshot")]
    OtherVersion,
    #[error("its description is another snapshot's")]
    OtherSnapshot,
    #[error("not of the size it had")]
    OtherSize,
    #[error("nobody signed it")]
    Unsigned,
    #[error("none of the verification keys signed it")]
    ForeignSignature,
}

/// A snapshot that a place holds, with what stands beside it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) listed: Listed,
    /// Nothing where that is missing or no description.
    pub(crate) metadata: Option<Metadata>,
    /// What is wrong with it at first sight; only reading it tells more.
    pub(crate) flaw: Option<Flaw>,
}

impl Entry {
    fn new(listed: Listed, metadata: Option<Metadata>, keys: &VerificationKeys) -> Self {
        let flaw = flaw(&listed, metadata.as_ref(), keys);
        Self {
            listed,
            metadata,
            flaw,
        }
    }
}

fn flaw(listed: &Listed, metadata: Option<&Metadata>, keys: &VerificationKeys) -> Option<Flaw> {
    let Some(metadata) = metadata else {
        return Some(Flaw::NoDescription);
    };
    if metadata.format != Metadata::FORMAT {
        Some(Flaw::OtherVersion)
    } else if metadata.name() != listed.name {
        Some(Flaw::OtherSnapshot)
    } else if metadata.size != listed.stored_size {
        Some(Flaw::OtherSize)
    } else {
        keys.flaw(metadata)
    }
}

/// What one look at a place shows.
#[derive(Default)]
pub(crate) struct Look {
    /// The snapshots, newest first.
    pub(crate) snapshots: Vec<Listed>,
    /// The names of what looks like snapshots of other programs, sorted.
    pub(crate) foreign: Vec<String>,
}

impl Look {
    /// Sorts files, by their names and sizes, into snapshots and others.
    fn of(files: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut look = Self::default();
        for (name, size) in files {
            if is_foreign(&name) {
                look.foreign.push(name);
            } else {
                look.snapshots.extend(Listed::new(name, size));
            }
        }
        look.foreign.sort();
        let order = |listed: &Listed| (listed.moment, listed.name.clone());
        look.snapshots
            .sort_by_cached_key(|listed| std::cmp::Reverse(order(listed)));
        look
    }
}

/// A place that holds snapshots.
pub(crate) trait Place: Send + Sync {
    /// How people know it.
    fn shown(&self) -> String;

    /// What is there.
    ///
    /// # Errors
    /// A place that cannot be listed.
    fn look(&self) -> Result<Look, Failure>;

    /// The file of this name, whether or not it is one that this program gives.
    ///
    /// # Errors
    /// A place that cannot be looked into.
    fn named(&self, name: &str) -> Result<Option<Listed>, Failure>;

    /// The description beside a snapshot; nothing where it is missing or none. Each may cost a request.
    ///
    /// # Errors
    /// One that cannot be read now.
    fn metadata(&self, name: &str) -> Result<Option<Metadata>, Failure>;

    /// The bytes of a snapshot.
    ///
    /// # Errors
    /// One that cannot be opened.
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, Failure>;

    /// Puts a snapshot there, whole or not at all.
    ///
    /// # Errors
    /// A place that cannot be written to. What is left of the try is no snapshot.
    fn put(&self, draft: &Draft, metadata: &Metadata) -> Result<(), Failure>;

    /// Removes a snapshot: first the archive, then its description.
    ///
    /// # Errors
    /// One that cannot be removed.
    fn remove(&self, name: &str) -> Result<(), Failure>;

    /// Whether it is known to hold a snapshot of this name without its ending. Only looks where that is quick.
    fn holds(&self, stem: &str) -> bool;

    /// Removes what runs that were cut off left. Only for who has it locked.
    ///
    /// # Errors
    /// A place that cannot be listed or changed.
    fn sweep(&self) -> Result<(), Failure>;
}

impl dyn Place + '_ {
    /// The snapshots that are there, newest first.
    ///
    /// # Errors
    /// As for [`Place::look`].
    pub(crate) fn list(&self) -> Result<Vec<Listed>, Failure> {
        Ok(self.look()?.snapshots)
    }

    /// A snapshot with what stands beside it.
    ///
    /// # Errors
    /// As for [`Place::metadata`].
    pub(crate) fn entry(&self, listed: Listed, keys: &VerificationKeys) -> Result<Entry, Failure> {
        let metadata = self.metadata(&listed.name)?;
        Ok(Entry::new(listed, metadata, keys))
    }

    /// All that is there, newest first, each with what stands beside it.
    ///
    /// # Errors
    /// As for [`Place::look`] and [`Place::metadata`].
    pub(crate) fn entries(&self, keys: &VerificationKeys) -> Result<Vec<Entry>, Failure> {
        let listed = self.list()?.into_iter();
        listed.map(|listed| self.entry(listed, keys)).collect()
    }
}

/// All places of one command.
pub(crate) struct Stores {
    pub(crate) places: Vec<Box<dyn Place>>,
    /// Who must have signed what is taken from the places.
    pub(crate) keys: VerificationKeys,
    folders: Vec<PathBuf>,
    work: Option<PathBuf>,
}

impl Stores {
    /// The places that the arguments name.
    ///
    /// # Errors
    /// No place, or one that makes no sense.
    pub(crate) fn open(arguments: &Places) -> Result<Self, Failure> {
        let mut places: Vec<Box<dyn Place>> = Vec::new();
        for path in &arguments.dir {
            places.push(Box::new(Folder::new(path)));
        }
        for url in &arguments.s3 {
            places.push(Box::new(S3::open(url, arguments.s3_patience)?));
        }
        if places.is_empty() {
            return Err(Failure::usage("there is no place for snapshots")
                .hint("name one with `--dir` or `--s3`"));
        }
        Ok(Self {
            places,
            keys: VerificationKeys::default(),
            folders: arguments.dir.clone(),
            work: arguments.work.clone(),
        })
    }

    /// The same places, of which only what one of these keys signed counts.
    ///
    /// # Errors
    /// A file that holds no key.
    pub(crate) fn verified_by(mut self, arguments: &VerificationArgs) -> Result<Self, Failure> {
        self.keys = VerificationKeys::read(&arguments.verification_key)?;
        Ok(self)
    }

    /// Whether all places are folders of this machine, and which.
    pub(crate) fn only_folders(&self) -> Option<&[PathBuf]> {
        (self.folders.len() == self.places.len()).then_some(self.folders.as_slice())
    }

    /// The folder for what is not complete.
    ///
    /// # Errors
    /// There is none, or it cannot be made.
    pub(crate) fn work(&self) -> Result<PathBuf, Failure> {
        let folder = self
            .work
            .clone()
            .or_else(|| self.folders.first().cloned())
            .or_else(of_unit)
            .ok_or_else(|| {
                Failure::usage("there is no folder for a snapshot that is not complete")
                    .hint("name one with `--work`")
            })?;
        made(&folder)?;
        Ok(folder)
    }

    /// Where earlier runs kept what was not complete, besides the folders, if anywhere.
    pub(crate) fn earlier_work(&self) -> Option<PathBuf> {
        let folder = self.work.clone().or_else(of_unit);
        folder.filter(|folder| folder.is_dir())
    }

    /// Locks all folders, and `work`, which is for what is not complete.
    ///
    /// # Errors
    /// Another run is at work, or a folder cannot be written to.
    pub(crate) fn lock(&self, work: Option<&Path>) -> Result<Locked, Failure> {
        Locked::all(self.with_work(work))
    }

    /// Removes the drafts of runs that were cut off. Only for who has locked the same.
    pub(crate) fn sweep_drafts(&self, work: Option<&Path>) {
        self.with_work(work).for_each(draft::sweep);
    }

    fn with_work<'a>(&'a self, work: Option<&'a Path>) -> impl Iterator<Item = &'a Path> {
        self.folders.iter().map(PathBuf::as_path).chain(work)
    }
}

/// The room that systemd gave the unit.
pub(crate) fn of_unit() -> Option<PathBuf> {
    let names = ["CACHE_DIRECTORY", "RUNTIME_DIRECTORY"];
    names.iter().find_map(env::var_os).map(PathBuf::from)
}

/// Makes a folder that is missing, for its owner only.
pub(crate) fn made(path: &Path) -> Result<(), Failure> {
    secure_fs::Folder::make(path, Guard::Links, 0o700, 0o700)
        .map(drop)
        .map_err(|cause| {
            Failure::failed(format!("`{}` could not be made: {cause}", path.display()))
        })
}
