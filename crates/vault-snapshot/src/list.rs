//! What there is.

use cli::{Failure, data, printable_line};
use serde_json::json;

use crate::{
    cli::List,
    failures::first,
    moment::Moment,
    store::{Entry, Flaw, Look, Place, Stores},
};

/// Runs `vault-snapshot list`.
///
/// # Errors
/// A place that cannot be listed; the others are listed all the same.
pub(crate) fn run(arguments: &List) -> Result<(), Failure> {
    let stores = Stores::open(&arguments.places)?.verified_by(&arguments.verification)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for place in &stores.places {
        match seen(place.as_ref(), &stores) {
            Ok(seen) => found.push(seen),
            Err(failure) => failures.push(failure),
        }
    }
    if arguments.json {
        print_json(&found)?;
    } else {
        print_table(&found)?;
    }
    first(failures)
}

/// What a place holds.
struct Seen {
    place: String,
    entries: Vec<Entry>,
    /// Files that look like snapshots of other programs.
    foreign: Vec<String>,
}

fn seen(place: &dyn Place, stores: &Stores) -> Result<Seen, Failure> {
    let Look { snapshots, foreign } = place.look()?;
    let entries = snapshots.into_iter();
    let entries = entries.map(|listed| place.entry(listed, &stores.keys));
    Ok(Seen {
        place: place.shown(),
        entries: entries.collect::<Result<_, _>>()?,
        foreign,
    })
}

fn print_json(found: &[Seen]) -> Result<(), Failure> {
    let entries = found.iter().flat_map(|seen| {
        let place = &seen.place;
        seen.entries.iter().map(move |entry| {
            let listed = &entry.listed;
            json!({
                "place": place, "name": listed.name, "taken_at": listed.moment, "stored_size": listed.stored_size,
                "flaw": entry.flaw.map(|flaw| flaw.to_string()), "ahead": listed.moment.is_ahead(), "metadata": entry.metadata,
            })
        })
    });
    let list: Vec<_> = entries.collect();
    data(format_args!("{:#}", json!(list)))
}

fn print_table(found: &[Seen]) -> Result<(), Failure> {
    for seen in found {
        data(format_args!(
            "{}: {} snapshots",
            seen.place,
            seen.entries.len()
        ))?;
        for entry in &seen.entries {
            data(format_args!("  {}", line(entry)))?;
        }
        for name in &seen.foreign {
            let name = printable_line(name);
            data(format_args!(
                "  {name}, of another program, without a description: `verify`, `restore` and `drill` take it by its path"
            ))?;
        }
    }
    Ok(())
}

fn line(entry: &Entry) -> String {
    let moment = entry.listed.moment;
    let when = if moment.is_ahead() {
        format!("DATED AHEAD of this clock, {}", Moment::now())
    } else {
        format!("{} ago", moment.age())
    };
    let mut words = vec![
        entry.listed.name.clone(),
        when,
        format!("{} bytes", entry.listed.stored_size),
    ];
    if let Some(metadata) = &entry.metadata {
        words.push(format!("cluster {}", printable_line(&metadata.cluster_id)));
        if metadata.is_encrypted() {
            words.push("encrypted".to_owned());
        }
        if metadata.canary.is_some() {
            words.push("with a canary".to_owned());
        }
        if metadata.signature.is_some() {
            words.push("signed".to_owned());
        }
    }
    words.extend(entry.flaw.map(|flaw| match flaw {
        Flaw::NoDescription => {
            format!("FLAWED: {flaw}; `verify`, `restore` and `drill` take it by its path")
        }
        _ => format!("FLAWED: {flaw}"),
    }));
    words.join(", ")
}
