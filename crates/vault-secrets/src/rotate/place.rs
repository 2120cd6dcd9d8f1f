//! Puts new versions in place: all are made ready first, then swapped in one right after the other.

use std::collections::{BTreeMap, BTreeSet};

use delivery::{Error, Source, Standing, Workplace, directory};

use super::news::Fresh;
use crate::host::Secret;

/// What became of a new version.
pub(crate) enum Placed {
    /// It stands in place, and the old one is at hand.
    OnTrial,
    /// It stands in place of nothing.
    First,
    /// It has the same files as the one in place.
    Equal,
    /// Another run has put another one in place meanwhile, or removed the secret.
    Overtaken,
    /// It could not be put in place; what was there is.
    Failed(Error),
}

/// New versions with the secrets that they are of.
pub(crate) type Versions<'a> = BTreeMap<&'a str, (Secret<'a>, Box<Fresh>)>;

/// Puts `versions` in place; `triers` are the services that try each. Directories are locked only until
/// all are there.
pub(crate) fn all<'a>(
    versions: &Versions<'a>,
    triers: &BTreeMap<&str, BTreeSet<String>>,
) -> BTreeMap<&'a str, Placed> {
    let mut staged = Vec::new();
    let mut placed = BTreeMap::new();
    for (name, (secret, fresh)) in versions {
        match stage(secret, fresh) {
            Ok(Staged::Ready(workplace)) => staged.push((*name, secret, fresh, workplace)),
            Ok(Staged::Done(done)) => drop(placed.insert(*name, done)),
            Err(error) => drop(placed.insert(*name, Placed::Failed(error))),
        }
    }
    for (name, secret, fresh, workplace) in &staged {
        let nobody = BTreeSet::new();
        let triers = triers.get(name).unwrap_or(&nobody);
        let swapped = workplace.begin_trial(&note(secret, fresh), triers);
        let result = match swapped {
            Ok(true) => Placed::OnTrial,
            Ok(false) => Placed::First,
            Err(error) => {
                let _ = workplace.end_trial(); // the first error is the one to tell
                Placed::Failed(error)
            }
        };
        placed.insert(*name, result);
    }
    placed
}

enum Staged {
    Ready(Workplace),
    Done(Placed),
}

fn stage(secret: &Secret<'_>, fresh: &Fresh) -> Result<Staged, Error> {
    let ownership = fresh.recipe.ownership;
    let workplace = Workplace::open(&secret.declared.output_directory)?;
    if workplace.was_overtaken(&note(secret, fresh), &fresh.seen) {
        return Ok(Staged::Done(Placed::Overtaken));
    }
    if directory::is_published(&workplace, &fresh.files, ownership) {
        workplace.note(&note(secret, fresh))?;
        return Ok(Staged::Done(Placed::Equal));
    }
    workplace.stage(&fresh.files, ownership)?;
    Ok(Staged::Ready(workplace))
}

fn note(secret: &Secret<'_>, fresh: &Fresh) -> Standing {
    let metadata = &fresh.secret.metadata;
    Standing::now(
        &secret.identity,
        metadata.version,
        &metadata.created_time,
        Source::OpenBao,
    )
}
