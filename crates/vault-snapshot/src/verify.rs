//! Whether snapshots are what they were.

use cli::{Failure, data, note};

use crate::{
    chosen::{Chosen, nothing, past, with_folder},
    cli::Verify,
    encryption::Identities,
    failures::first,
    store::{Place, Stores},
};

/// Runs `vault-snapshot verify`.
///
/// # Errors
/// One that is damaged or cannot be read; the others are verified all the same.
pub(crate) fn run(arguments: &Verify) -> Result<(), Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let (name, places) = with_folder(arguments.snapshot.as_deref(), &arguments.places);
    let stores = Stores::open(&places)?.verified_by(&arguments.verification)?;
    let (mut failures, mut count) = (Vec::new(), 0);
    for place in &stores.places {
        match wanted(&stores, place.as_ref(), name.as_deref(), arguments.all) {
            Ok(wanted) => {
                count += wanted.len();
                let verified = wanted.iter().map(|chosen| verify(chosen, &identities));
                failures.extend(verified.filter_map(Result::err));
            }
            Err(failure) => failures.push(failure),
        }
    }
    if count == 0 && failures.is_empty() {
        return Err(nothing(arguments.snapshot.as_deref()));
    }
    first(failures)
}

fn wanted<'a>(
    stores: &Stores,
    place: &'a dyn Place,
    name: Option<&str>,
    all: bool,
) -> Result<Vec<Chosen<'a>>, Failure> {
    if let Some(name) = name {
        return Ok(Chosen::named(stores, place, name)?.into_iter().collect());
    }
    let mut listed = place.list()?;
    if !all {
        listed = past(place, listed)?;
        listed.truncate(1);
    }
    let chosen = |listed| {
        Ok(Chosen {
            place,
            entry: place.entry(listed, &stores.keys)?,
            undescribed_is_fine: false,
        })
    };
    listed.into_iter().map(chosen).collect()
}

fn verify(chosen: &Chosen<'_>, identities: &Identities) -> Result<(), Failure> {
    let described = chosen.metadata()?.is_some();
    let checked = chosen.check(identities)?;
    let extent = match &checked.archive {
        Some(_) if described => "as it was saved, and whole by OpenBao's own digests".to_owned(),
        Some(archive) => format!(
            "whole by OpenBao's own digests, at raft index {}",
            archive.index
        ),
        None => "as it was saved (what is encrypted is not looked into without `--age-identity`)"
            .to_owned(),
    };
    if !described {
        note(
            "there is no description beside it: when it was taken, and of which cluster, is not known",
        );
    }
    data(format_args!("{}: {extent}", chosen.shown()))
}
