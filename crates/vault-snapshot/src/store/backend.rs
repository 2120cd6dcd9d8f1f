//! The interface of a place that holds snapshots, and the parts of its listing.

use std::{cmp::Reverse, io::Read};

use zts_cli::Failure;

use super::work::Draft;
use crate::{
    description::{Description, timestamp_in_name},
    signature::{SignatureFlaw, VerificationKeys},
    timestamp::Timestamp,
};

/// A snapshot in a listing.
#[derive(Clone, Debug)]
pub(crate) struct ListedSnapshot {
    pub(crate) name: String,
    /// The time in its name.
    pub(crate) timestamp: Timestamp,
    /// The size of its file in bytes.
    pub(crate) stored_size: u64,
}

impl ListedSnapshot {
    /// Returns `None` for a name that this program does not give.
    fn new(name: String, stored_size: u64) -> Option<Self> {
        let timestamp = timestamp_in_name(&name)?;
        Some(Self {
            name,
            timestamp,
            stored_size,
        })
    }

    /// Returns a snapshot of any name. A name without a time counts as taken when it was `written`.
    pub(super) fn with_any_name(name: String, stored_size: u64, written: Timestamp) -> Self {
        Self {
            timestamp: timestamp_in_name(&name).unwrap_or(written),
            name,
            stored_size,
        }
    }
}

/// Returns whether a name looks like that of another program's snapshot.
pub(super) fn is_foreign(name: &str) -> bool {
    let suffixes = [".snap", ".snap.gz", ".snap.age"];
    suffixes.iter().any(|suffix| name.ends_with(suffix)) && timestamp_in_name(name).is_none()
}

/// A defect that shows without reading the snapshot itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("no description beside it")]
    NoDescription,
    #[error("its description is of another version of vault-snapshot")]
    OtherVersion,
    #[error("its description is another snapshot's")]
    OtherSnapshot,
    #[error("its size differs from its description")]
    OtherSize,
    #[error(transparent)]
    Signature(#[from] SignatureFlaw),
}

/// A stored snapshot with its description.
#[derive(Clone, Debug)]
pub(crate) struct StoredSnapshot {
    pub(crate) listed: ListedSnapshot,
    /// `None` where the file is missing or is no description.
    pub(crate) description: Option<Description>,
    pub(crate) flaw: Option<Flaw>,
}

/// Checks everything that shows without reading the snapshot itself.
fn check(
    listed: &ListedSnapshot,
    description: Option<&Description>,
    keys: &VerificationKeys,
) -> Result<(), Flaw> {
    let description = description.ok_or(Flaw::NoDescription)?;
    if description.format != Description::FORMAT {
        return Err(Flaw::OtherVersion);
    }
    if description.name() != listed.name {
        return Err(Flaw::OtherSnapshot);
    }
    if description.size != listed.stored_size {
        return Err(Flaw::OtherSize);
    }
    Ok(keys.verify(description)?)
}

/// The content of a backend.
#[derive(Default)]
pub(crate) struct Listing {
    /// The snapshots, newest first.
    pub(crate) snapshots: Vec<ListedSnapshot>,
    /// The names that look like other programs' snapshots, sorted.
    pub(crate) foreign: Vec<String>,
}

impl Listing {
    /// Sorts files, given by their names and sizes.
    pub(super) fn from_files(files: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut listing = Self::default();
        for (name, size) in files {
            if is_foreign(&name) {
                listing.foreign.push(name);
            } else {
                listing.snapshots.extend(ListedSnapshot::new(name, size));
            }
        }
        listing.foreign.sort();
        listing
            .snapshots
            .sort_by_cached_key(|listed| Reverse((listed.timestamp, listed.name.clone())));
        listing
    }
}

/// A place that holds snapshots: a folder or a bucket.
pub(crate) trait Backend: Send + Sync {
    /// Returns its path or URL.
    fn display_name(&self) -> String;

    /// Lists its files.
    ///
    /// # Errors
    /// It cannot be listed.
    fn list_files(&self) -> Result<Listing, Failure>;

    /// Looks up a file, which may have any name.
    ///
    /// # Errors
    /// It cannot be listed.
    fn find_file(&self, name: &str) -> Result<Option<ListedSnapshot>, Failure>;

    /// Reads the description of a snapshot, which may cost a request. Returns `None` where the file
    /// is missing or is no description.
    ///
    /// # Errors
    /// The file cannot be read now.
    fn read_description(&self, name: &str) -> Result<Option<Description>, Failure>;

    /// Opens the stored file of a snapshot.
    ///
    /// # Errors
    /// It cannot be opened.
    fn open_snapshot(&self, name: &str) -> Result<Box<dyn Read + Send>, Failure>;

    /// Stores a snapshot, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written. Files that are left behind are no snapshot.
    fn put_snapshot(&self, draft: &Draft, description: &Description) -> Result<(), Failure>;

    /// Removes a snapshot: first the archive, then its description.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove_snapshot(&self, name: &str) -> Result<(), Failure>;

    /// Returns whether it is known to hold a snapshot with this name stem. Checks only where that
    /// is quick.
    fn has_stem(&self, stem: &str) -> bool;

    /// Removes leftovers of interrupted runs. The caller holds the lock.
    ///
    /// # Errors
    /// It cannot be listed or changed.
    fn remove_leftovers(&self) -> Result<(), Failure>;
}

impl dyn Backend + '_ {
    /// Lists its snapshots, newest first.
    ///
    /// # Errors
    /// As for [`Backend::list_files`].
    pub(crate) fn list_snapshots(&self) -> Result<Vec<ListedSnapshot>, Failure> {
        Ok(self.list_files()?.snapshots)
    }

    /// Reads and checks the description of a listed snapshot.
    ///
    /// # Errors
    /// As for [`Backend::read_description`].
    pub(crate) fn describe(
        &self,
        listed: ListedSnapshot,
        keys: &VerificationKeys,
    ) -> Result<StoredSnapshot, Failure> {
        let description = self.read_description(&listed.name)?;
        let flaw = check(&listed, description.as_ref(), keys).err();
        Ok(StoredSnapshot {
            listed,
            description,
            flaw,
        })
    }
}
