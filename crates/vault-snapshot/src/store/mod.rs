//! The places that hold snapshots.

mod backend;
mod bucket;
mod folder;
mod location;
mod work;

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use zts_cli::Failure;
use zts_secure_fs::Guard;

pub(crate) use backend::{Backend, Flaw, ListedSnapshot, Listing, StoredSnapshot};
pub(crate) use location::Location;
pub(crate) use work::{DirectoryLocks, Draft, create_draft_file};

use crate::{
    cli::{PlaceArgs, VerificationArgs},
    report::end_with_first,
    signature::VerificationKeys,
};
use bucket::BucketBackend;
use folder::FolderBackend;

/// The backends of one command.
pub(crate) struct Backends {
    pub(crate) all: Vec<Box<dyn Backend>>,
    /// The keys of which one must have signed a snapshot.
    pub(crate) keys: VerificationKeys,
    folders: Vec<PathBuf>,
    work: Option<PathBuf>,
}

impl Backends {
    /// Returns the backends that the arguments name. Does not connect to buckets.
    ///
    /// # Errors
    /// There is none, or a value is invalid.
    pub(crate) fn open(arguments: &PlaceArgs) -> Result<Self, Failure> {
        let mut all: Vec<Box<dyn Backend>> = Vec::new();
        for path in &arguments.dir {
            all.push(Box::new(FolderBackend::new(path)));
        }
        for url in &arguments.s3 {
            all.push(Box::new(BucketBackend::open(url, arguments.s3_timeout)?));
        }
        if all.is_empty() {
            return Err(Failure::usage("there is no place for snapshots")
                .hint("name one with `--dir` or `--s3`"));
        }
        Ok(Self {
            all,
            keys: VerificationKeys::default(),
            folders: arguments.dir.clone(),
            work: arguments.work.clone(),
        })
    }

    /// Returns the same backends, in which only snapshots count that one of these keys signed.
    ///
    /// # Errors
    /// A file that holds no key.
    pub(crate) fn verified_by(mut self, arguments: &VerificationArgs) -> Result<Self, Failure> {
        self.keys = VerificationKeys::read(&arguments.verification_key)?;
        Ok(self)
    }

    /// Returns the folders, if all backends are folders.
    pub(crate) fn only_folders(&self) -> Option<&[PathBuf]> {
        (self.folders.len() == self.all.len()).then_some(self.folders.as_slice())
    }

    /// Returns the work directory for incomplete snapshots, and creates it where it is missing.
    ///
    /// # Errors
    /// There is none, or it cannot be created.
    pub(crate) fn create_work_directory(&self) -> Result<PathBuf, Failure> {
        let folder = self
            .work
            .clone()
            .or_else(|| self.folders.first().cloned())
            .or_else(systemd_directory)
            .ok_or_else(|| {
                Failure::usage("there is no work directory for an incomplete snapshot")
                    .hint("name one with `--work`")
            })?;
        create_private_folder(&folder)?;
        Ok(folder)
    }

    /// Returns the work directory of earlier runs, where it exists and is none of the folders.
    pub(crate) fn existing_work_directory(&self) -> Option<PathBuf> {
        let folder = self.work.clone().or_else(systemd_directory);
        folder.filter(|folder| folder.is_dir())
    }

    /// Locks all folders and the work directory.
    ///
    /// # Errors
    /// Another run holds a lock, or a folder cannot be written to.
    pub(crate) fn lock(&self, work: Option<&Path>) -> Result<DirectoryLocks, Failure> {
        DirectoryLocks::acquire(self.folders_and(work))
    }

    /// Removes drafts of interrupted runs. The caller holds the locks.
    pub(crate) fn remove_leftover_drafts(&self, work: Option<&Path>) {
        self.folders_and(work)
            .for_each(work::remove_leftover_drafts);
    }

    fn folders_and<'a>(&'a self, work: Option<&'a Path>) -> impl Iterator<Item = &'a Path> {
        self.folders.iter().map(PathBuf::as_path).chain(work)
    }
}

/// Removes the folders that `prepare` or a lock fails in, and returns the failures: a folder that
/// is read-only or missing must not keep the others from being used. A folder with two names counts
/// once.
///
/// # Errors
/// No place is left.
pub(crate) fn writable_backends(
    arguments: &PlaceArgs,
    prepare: impl Fn(&Path) -> Result<(), Failure>,
) -> Result<(PlaceArgs, Vec<Failure>), Failure> {
    let (mut left, mut failures, mut identities) = (arguments.clone(), Vec::new(), BTreeSet::new());
    left.dir.retain(|folder| {
        let prepared = prepare(folder).and_then(|()| work::check_lockable(folder));
        let identity = fs::metadata(folder).map(|file| (file.dev(), file.ino()));
        let is_new = identity
            .ok()
            .is_none_or(|identity| identities.insert(identity));
        prepared.map_err(|failure| failures.push(failure)).is_ok() && is_new
    });
    if left.dir.is_empty() && left.s3.is_empty() {
        end_with_first(failures)?;
        return Ok((left, Vec::new())); // no place was named
    }
    Ok((left, failures))
}

/// Returns the directory that systemd gave the unit.
pub(crate) fn systemd_directory() -> Option<PathBuf> {
    let names = ["CACHE_DIRECTORY", "RUNTIME_DIRECTORY"];
    names.iter().find_map(env::var_os).map(PathBuf::from)
}

/// Creates a folder for its owner only, where it is missing.
pub(crate) fn create_private_folder(path: &Path) -> Result<(), Failure> {
    zts_secure_fs::Folder::create(path, Guard::Links, 0o700, 0o700)
        .map(drop)
        .map_err(|cause| {
            Failure::failed(format!(
                "`{}` could not be created: {cause}",
                path.display()
            ))
        })
}
