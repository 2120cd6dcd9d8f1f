//! `vault-snapshot list`.

use serde_json::json;
use zts_cli::{Failure, count_noun, data, format_size, format_table, printable_line};

use crate::{
    cli::List,
    report::end_with_first,
    store::{Backend, Backends, Flaw, Listing, StoredSnapshot},
    timestamp::Timestamp,
};

/// The content of one backend.
struct BackendListing {
    place: String,
    snapshots: Vec<StoredSnapshot>,
    /// The names of other programs' snapshots.
    foreign: Vec<String>,
}

/// Runs `vault-snapshot list`.
///
/// # Errors
/// A backend cannot be listed. The others are listed nevertheless.
pub(crate) fn run(arguments: &List) -> Result<(), Failure> {
    let backends = Backends::open(&arguments.places)?.verified_by(&arguments.verification)?;
    let (mut listings, mut failures) = (Vec::new(), Vec::new());
    for backend in &backends.all {
        match list_backend(backend.as_ref(), &backends) {
            Ok(listing) => listings.push(listing),
            Err(failure) => failures.push(failure),
        }
    }
    if arguments.json {
        print_json(&listings)?;
    } else {
        print_table(&listings)?;
    }
    end_with_first(failures)
}

fn list_backend(backend: &dyn Backend, backends: &Backends) -> Result<BackendListing, Failure> {
    let Listing { snapshots, foreign } = backend.list_files()?;
    let snapshots = snapshots.into_iter();
    let snapshots = snapshots.map(|listed| backend.describe(listed, &backends.keys));
    Ok(BackendListing {
        place: backend.display_name(),
        snapshots: snapshots.collect::<Result<_, _>>()?,
        foreign,
    })
}

fn print_json(listings: &[BackendListing]) -> Result<(), Failure> {
    let snapshots = listings.iter().flat_map(|listing| {
        let place = &listing.place;
        listing.snapshots.iter().map(move |snapshot| {
            let listed = &snapshot.listed;
            json!({
                "place": place,
                "name": listed.name,
                "taken_at": listed.timestamp,
                "stored_size": listed.stored_size,
                "flaw": snapshot.flaw.map(|flaw| flaw.to_string()),
                "ahead": listed.timestamp.is_in_future(),
                "metadata": snapshot.description,
            })
        })
    });
    let list: Vec<_> = snapshots.collect();
    data(format_args!("{:#}", json!(list)))
}

fn print_table(listings: &[BackendListing]) -> Result<(), Failure> {
    for listing in listings {
        data(format_args!(
            "{}: {}",
            listing.place,
            count_noun(listing.snapshots.len(), "snapshot")
        ))?;
        let head = HEAD.map(str::to_owned);
        let rows: Vec<_> = [head]
            .into_iter()
            .chain(listing.snapshots.iter().map(row))
            .collect();
        for line in format_table(&rows).iter().filter(|_| rows.len() > 1) {
            data(format_args!("  {line}"))?;
        }
        for name in &listing.foreign {
            let name = printable_line(name);
            data(format_args!(
                "  {name}, of another program, without a description: give its path to `verify`, `restore` or `drill`"
            ))?;
        }
    }
    Ok(())
}

const HEAD: [&str; 4] = ["SNAPSHOT", "TAKEN", "SIZE", ""];

fn row(snapshot: &StoredSnapshot) -> [String; 4] {
    let timestamp = snapshot.listed.timestamp;
    let age = if timestamp.is_in_future() {
        format!("DATED AHEAD of this clock, {}", Timestamp::now())
    } else {
        format!("{} ago", timestamp.age())
    };
    let size = format_size(snapshot.listed.stored_size);
    [
        snapshot.listed.name.clone(),
        age,
        size,
        properties(snapshot).join(", "),
    ]
}

/// Returns the cluster and the properties of a snapshot, and its flaw.
fn properties(snapshot: &StoredSnapshot) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(description) = &snapshot.description {
        let cluster = printable_line(&description.cluster_id);
        parts.push(format!("cluster {cluster}"));
        let properties = [
            (description.is_encrypted(), "encrypted"),
            (description.canary.is_some(), "with a canary"),
            (description.signature.is_some(), "signed"),
        ];
        let present = properties.iter().filter(|(is_present, _)| *is_present);
        parts.extend(present.map(|(_, text)| (*text).to_owned()));
    }
    parts.extend(snapshot.flaw.map(|flaw| match flaw {
        Flaw::NoDescription => {
            format!("FLAWED: {flaw}; give its path to `verify`, `restore` or `drill`")
        }
        _ => format!("FLAWED: {flaw}"),
    }));
    parts
}
