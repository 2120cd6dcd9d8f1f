//! `vault-snapshot prune`.

use std::collections::BTreeMap;

use zts_cli::{Failure, Progress, data, warn};

use crate::{
    cli::Prune,
    encryption::Identities,
    report::end_with_first,
    retention::{RetentionPolicy, timestamps_to_keep},
    selected_snapshot::SelectedSnapshot,
    store::{Backend, Backends, StoredSnapshot, writable_backends},
    timestamp::Timestamp,
};

/// Runs `vault-snapshot prune`.
///
/// # Errors
/// There is no policy, a backend cannot be listed or changed, or one has no intact snapshot.
pub(crate) fn run(arguments: &Prune) -> Result<(), Failure> {
    let policy = arguments.policy();
    if policy.is_empty() {
        return Err(
            Failure::usage("no option says which snapshots to keep").hint(
                "`--keep-last`, `--keep-hourly`, `--keep-daily`, `--keep-weekly`, `--keep-monthly`",
            ),
        );
    }
    let (places, mut failures) = writable_backends(&arguments.places, |_| Ok(()))?;
    let backends = Backends::open(&places)?.verified_by(&arguments.verification)?;
    // There are no locks for buckets: other hosts may change them at the same time.
    let work = backends.existing_work_directory();
    let _locks = backends.lock(work.as_deref())?;
    if !arguments.dry_run {
        backends.remove_leftover_drafts(work.as_deref());
    }
    for backend in &backends.all {
        let pruned = prune_backend(&backends, backend.as_ref(), policy, arguments.dry_run);
        failures.extend(pruned.err());
    }
    end_with_first(failures)
}

fn prune_backend(
    backends: &Backends,
    backend: &dyn Backend,
    policy: RetentionPolicy,
    dry_run: bool,
) -> Result<(), Failure> {
    if !dry_run {
        backend.remove_leftovers()?;
    }
    for snapshots in group_by_cluster(backends, backend)?.into_values() {
        prune_cluster(backend, &snapshots, policy, dry_run)?;
    }
    Ok(())
}

/// Groups the snapshots by cluster, newest first, because each cluster is pruned for itself. Leaves
/// out those with a flaw and those dated ahead of the clock, with a warning: one of the latter
/// would count as the newest for years.
fn group_by_cluster(
    backends: &Backends,
    backend: &dyn Backend,
) -> Result<BTreeMap<String, Vec<StoredSnapshot>>, Failure> {
    let mut clusters: BTreeMap<String, Vec<StoredSnapshot>> = BTreeMap::new();
    for listed in backend.list_snapshots()? {
        let snapshot = backend.describe(listed, &backends.keys)?;
        let is_in_future = snapshot.listed.timestamp.is_in_future();
        let flaw = snapshot.flaw.map(|flaw| flaw.to_string());
        let flaw =
            flaw.or_else(|| is_in_future.then(|| "it is dated ahead of this clock".to_owned()));
        match (&snapshot.description, flaw) {
            (Some(description), None) => {
                let cluster = description.cluster_id.clone();
                clusters.entry(cluster).or_default().push(snapshot);
            }
            (_, flaw) => warn(format_args!(
                "{} in {}: {}; it is left as it is",
                snapshot.listed.name,
                backend.display_name(),
                flaw.unwrap_or_default()
            )),
        }
    }
    Ok(clusters)
}

fn prune_cluster(
    backend: &dyn Backend,
    snapshots: &[StoredSnapshot],
    policy: RetentionPolicy,
    dry_run: bool,
) -> Result<(), Failure> {
    let timestamps: Vec<Timestamp> = snapshots
        .iter()
        .map(|snapshot| snapshot.listed.timestamp)
        .collect();
    let keep = timestamps_to_keep(&timestamps, policy);
    let surplus: Vec<_> = snapshots
        .iter()
        .map(|snapshot| &snapshot.listed)
        .filter(|listed| !keep.contains(&listed.timestamp))
        .collect();
    if surplus.is_empty() {
        return Ok(());
    }
    let newest_intact = newest_intact(backend, snapshots)?;
    for listed in surplus {
        if listed.name == newest_intact {
            continue;
        }
        if !dry_run {
            let _progress = Progress::begin(format_args!("removing {}", listed.name));
            backend.remove_snapshot(&listed.name)?;
        }
        data(format_args!("{}: {}", backend.display_name(), listed.name))?;
    }
    Ok(())
}

/// Returns the name of the newest snapshot that is intact, which is read to its end. Without one,
/// no snapshot may be removed.
fn newest_intact(backend: &dyn Backend, snapshots: &[StoredSnapshot]) -> Result<String, Failure> {
    for snapshot in snapshots {
        let selected = SelectedSnapshot {
            backend,
            snapshot: snapshot.clone(),
            may_lack_description: false,
        };
        match selected.verify(&Identities::default()) {
            Ok(_) => return Ok(snapshot.listed.name.clone()),
            Err(failure) => warn(failure.message()),
        }
    }
    Err(Failure::failed(format!(
        "no snapshot is removed from {}: none of them is intact",
        backend.display_name()
    ))
    .hint("take a new one with `vault-snapshot save`, and find out why they are damaged"))
}
