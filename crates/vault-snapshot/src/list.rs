//! What there is.

use cli::{Failure, data, printable_line};
use serde_json::json;

use crate::{
    cli::List,
    failures::first,
    store::{Entry, Stores},
};

/// Runs `vault-snapshot list`.
///
/// # Errors
/// A place that cannot be listed; the others are listed all the same.
pub(crate) fn run(arguments: &List) -> Result<(), Failure> {
    let stores = Stores::open(&arguments.places)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for place in &stores.places {
        match place.entries() {
            Ok(entries) => found.push((place.shown(), entries)),
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

type Found = [(String, Vec<Entry>)];

fn print_json(found: &Found) -> Result<(), Failure> {
    let entries = found.iter().flat_map(|(place, entries)| {
        entries.iter().map(move |entry| {
            let listed = &entry.listed;
            json!({
                "place": place, "name": listed.name, "taken_at": listed.moment, "stored_size": listed.stored_size,
                "flaw": entry.flaw(), "metadata": entry.metadata,
            })
        })
    });
    let list: Vec<_> = entries.collect();
    data(format_args!("{:#}", json!(list)))
}

fn print_table(found: &Found) -> Result<(), Failure> {
    for (place, entries) in found {
        data(format_args!("{place}: {} snapshots", entries.len()))?;
        for entry in entries {
            data(format_args!("  {}", line(entry)))?;
        }
    }
    Ok(())
}

fn line(entry: &Entry) -> String {
    let mut words = vec![
        entry.listed.name.clone(),
        format!("{} ago", entry.listed.moment.age()),
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
    }
    words.extend(entry.flaw().map(|flaw| format!("FLAWED: {flaw}")));
    words.join(", ")
}
