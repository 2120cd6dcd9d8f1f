//! Removing what no rule keeps.

use std::collections::BTreeMap;

use cli::{Failure, data, warn};

use crate::{
    chosen::Chosen,
    cli::Prune,
    encryption::Identities,
    failures::first,
    moment::Moment,
    retention::{Rule, kept},
    store::{Entry, Place, Stores},
    usable::usable,
};

/// Runs `vault-snapshot prune`.
///
/// # Errors
/// No rule, a place that cannot be listed or changed, or one without a single good snapshot.
pub(crate) fn run(arguments: &Prune) -> Result<(), Failure> {
    let rule = arguments.rule();
    if rule.is_empty() {
        return Err(Failure::usage("nothing says what stays").hint(
            "`--keep-last`, `--keep-hourly`, `--keep-daily`, `--keep-weekly`, `--keep-monthly`",
        ));
    }
    let (places, mut failures) = usable(&arguments.places, |_| Ok(()))?;
    let stores = Stores::open(&places)?.verified_by(&arguments.verification)?;
    // In a bucket other hosts may be at work anyhow.
    let work = stores.earlier_work();
    let _locked = stores.lock(work.as_deref())?;
    if !arguments.dry_run {
        stores.sweep_drafts(work.as_deref());
    }
    for place in &stores.places {
        failures.extend(prune(&stores, place.as_ref(), rule, arguments.dry_run).err());
    }
    first(failures)
}

fn prune(stores: &Stores, place: &dyn Place, rule: Rule, dry_run: bool) -> Result<(), Failure> {
    if !dry_run {
        place.sweep()?;
    }
    for entries in by_cluster(stores, place)?.into_values() {
        prune_cluster(place, &entries, rule, dry_run)?;
    }
    Ok(())
}

/// The snapshots of each cluster, newest first: one cluster's are no reason to remove another's. What is flawed
/// at first sight counts for nothing, and is left to people; so is what a clock made that was wrong, which would be
/// the newest for years, in the place of each that is taken from now on.
fn by_cluster(stores: &Stores, place: &dyn Place) -> Result<BTreeMap<String, Vec<Entry>>, Failure> {
    let mut clusters: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in place.entries(&stores.keys)? {
        let ahead = entry.listed.moment.is_ahead();
        let flaw = entry.flaw.map(|flaw| flaw.to_string());
        let to_come = ahead.then(|| "its time has yet to come".to_owned());
        match (&entry.metadata, flaw.or(to_come)) {
            (Some(metadata), None) => {
                let cluster = metadata.cluster_id.clone();
                clusters.entry(cluster).or_default().push(entry);
            }
            (_, flaw) => warn(format_args!(
                "{} in {}: {}; it is left as it is",
                entry.listed.name,
                place.shown(),
                flaw.unwrap_or_default()
            )),
        }
    }
    Ok(clusters)
}

fn prune_cluster(
    place: &dyn Place,
    entries: &[Entry],
    rule: Rule,
    dry_run: bool,
) -> Result<(), Failure> {
    let moments: Vec<Moment> = entries.iter().map(|entry| entry.listed.moment).collect();
    let stay = kept(&moments, rule);
    let go: Vec<_> = entries
        .iter()
        .filter(|entry| !stay.contains(&entry.listed.moment))
        .collect();
    if go.is_empty() {
        return Ok(());
    }
    let good = newest_good(place, entries)?;
    for entry in go.into_iter().filter(|entry| entry.listed.name != good) {
        if !dry_run {
            place.remove(&entry.listed.name)?;
        }
        data(format_args!("{}: {}", place.shown(), entry.listed.name))?;
    }
    Ok(())
}

/// The newest snapshot that is what it was: read to its end, for nothing goes before that is sure.
fn newest_good(place: &dyn Place, entries: &[Entry]) -> Result<String, Failure> {
    for entry in entries {
        let name = entry.listed.name.clone();
        let chosen = Chosen {
            place,
            entry: entry.clone(),
            undescribed_is_fine: false,
        };
        match chosen.check(&Identities::default()) {
            Ok(_) => return Ok(name),
            Err(failure) => warn(failure.message()),
        }
    }
    Err(Failure::failed(format!(
        "nothing is removed from {}: not one of its snapshots is good",
        place.shown()
    ))
    .hint("take a new one with `vault-snapshot save`, and find out what damages them"))
}
