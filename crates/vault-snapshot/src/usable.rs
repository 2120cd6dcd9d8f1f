//! Which folders a run can work in at all: one that is read-only or gone is no other place's trouble.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::Path};

use cli::Failure;

use crate::{cli::Places, lock::can_be_locked};

/// The places without the folders that `ready` or a lock fails in, and why each of those does. A folder that has two
/// names is one place.
///
/// # Errors
/// No place is left.
pub(crate) fn usable(
    places: &Places,
    ready: impl Fn(&Path) -> Result<(), Failure>,
) -> Result<(Places, Vec<Failure>), Failure> {
    let (mut left, mut failures, mut seen) = (places.clone(), Vec::new(), BTreeSet::new());
    left.dir.retain(|folder| {
        let usable = ready(folder).and_then(|()| can_be_locked(folder));
        let identity = fs::metadata(folder).map(|about| (about.dev(), about.ino()));
        let new = identity.ok().is_none_or(|identity| seen.insert(identity));
        usable.map_err(|failure| failures.push(failure)).is_ok() && new
    });
    if left.dir.is_empty() && left.s3.is_empty() {
        crate::failures::first(failures)?;
        return Ok((left, Vec::new())); // none was named
    }
    Ok((left, failures))
}
