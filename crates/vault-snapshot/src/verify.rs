//! Whether snapshots are what they were.

use cli::{Failure, data};

use crate::{
    chosen::{Chosen, nothing},
    cli::Verify,
    encryption::Identities,
    failures::first,
    store::{Listed, Place, Stores},
};

/// Runs `vault-snapshot verify`.
///
/// # Errors
/// One that is damaged or cannot be read; the others are verified all the same.
pub(crate) fn run(arguments: &Verify) -> Result<(), Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let stores = Stores::open(&arguments.places)?;
    let (mut failures, mut count) = (Vec::new(), 0);
    for place in &stores.places {
        let wanted = match place.list() {
            Ok(listed) => wanted(arguments, listed),
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        for listed in wanted {
            count += 1;
            failures.extend(verify(place.as_ref(), listed, &identities).err());
        }
    }
    if count == 0 && failures.is_empty() {
        return Err(nothing(arguments.snapshot.as_deref()));
    }
    first(failures)
}

fn wanted(arguments: &Verify, listed: Vec<Listed>) -> impl Iterator<Item = Listed> {
    let count = if arguments.all || arguments.snapshot.is_some() {
        usize::MAX
    } else {
        1
    };
    let name = arguments.snapshot.as_ref();
    let named = move |listed: &Listed| name.is_none_or(|name| listed.name == *name);
    listed.into_iter().filter(named).take(count)
}

fn verify(place: &dyn Place, listed: Listed, identities: &Identities) -> Result<(), Failure> {
    let entry = place.entry(listed)?;
    let chosen = Chosen { place, entry };
    let deep = chosen.check(identities)?;
    let extent = if deep {
        "as it was saved, and whole by OpenBao's own digests"
    } else {
        "as it was saved (what is encrypted is not looked into without `--age-identity`)"
    };
    data(format_args!("{}: {extent}", chosen.shown()))
}
