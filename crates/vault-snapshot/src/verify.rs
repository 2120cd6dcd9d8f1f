//! `vault-snapshot verify`.

use zts_cli::{Failure, data, note};

use crate::{
    cli::Verify,
    encryption::Identities,
    report::end_with_first,
    selected_snapshot::{SelectedSnapshot, no_snapshot, split_path, without_future},
    store::{Backend, Backends},
};

/// Runs `vault-snapshot verify`.
///
/// # Errors
/// A snapshot is damaged or cannot be read. The others are verified nevertheless.
pub(crate) fn run(arguments: &Verify) -> Result<(), Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let (name, places) = split_path(arguments.snapshot.as_deref(), &arguments.places);
    let backends = Backends::open(&places)?.verified_by(&arguments.verification)?;
    let (mut failures, mut count) = (Vec::new(), 0);
    for backend in &backends.all {
        match select_in(&backends, backend.as_ref(), name.as_deref(), arguments.all) {
            Ok(selected) => {
                count += selected.len();
                let verified = selected.iter().map(|one| verify_one(one, &identities));
                failures.extend(verified.filter_map(Result::err));
            }
            Err(failure) => failures.push(failure),
        }
    }
    if count == 0 && failures.is_empty() {
        return Err(no_snapshot(arguments.snapshot.as_deref()));
    }
    end_with_first(failures)
}

/// Selects the snapshot with this name, or all, or the newest one, even where it has a flaw.
fn select_in<'a>(
    backends: &Backends,
    backend: &'a dyn Backend,
    name: Option<&str>,
    all: bool,
) -> Result<Vec<SelectedSnapshot<'a>>, Failure> {
    if let Some(name) = name {
        let selected = SelectedSnapshot::with_name(backends, backend, name)?;
        return Ok(selected.into_iter().collect());
    }
    let mut listed = backend.list_snapshots()?;
    if !all {
        listed = without_future(backend, listed)?;
        listed.truncate(1);
    }
    let select = |listed| {
        Ok(SelectedSnapshot {
            backend,
            snapshot: backend.describe(listed, &backends.keys)?,
            may_lack_description: false,
        })
    };
    listed.into_iter().map(select).collect()
}

fn verify_one(selected: &SelectedSnapshot<'_>, identities: &Identities) -> Result<(), Failure> {
    let is_described = selected.description()?.is_some();
    let verified = selected.verify(identities)?;
    let extent = match &verified.position {
        Some(_) if is_described => {
            "as it was saved, and intact by OpenBao's own digests".to_owned()
        }
        Some(position) => format!(
            "intact by OpenBao's own digests, at raft index {}",
            position.index
        ),
        None => "as it was saved (its encrypted content is not verified without `--age-identity`)"
            .to_owned(),
    };
    if !is_described {
        note("there is no description beside it: its time and its cluster are not known");
    }
    data(format_args!("{}: {extent}", selected.display_name()))
}
