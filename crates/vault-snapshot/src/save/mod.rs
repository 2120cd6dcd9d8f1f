//! `vault-snapshot save`.

mod download;

use std::{fs, os::unix::fs::MetadataExt, path::Path, thread, time::Instant};

use zts_cli::{Failure, Progress, data, format_size, note, warn};
use zts_exposition::{flag, number};

use crate::{
    cli::Save,
    description::Description,
    encryption::Recipients,
    login::Login,
    report::{end_with_first, write_metrics},
    signature::SigningKey,
    store::{Backend, Backends, Draft, create_private_folder, writable_backends},
    timestamp::Timestamp,
};
use download::Download;

/// A snapshot that has been saved in some places.
struct SavedSnapshot {
    description: Description,
    /// The failures of the places that miss it.
    failures: Vec<Failure>,
    /// The number of snapshots that are dated ahead of the clock, where all places can be listed.
    dated_ahead: Option<u64>,
}

/// Runs `vault-snapshot save`.
///
/// # Errors
/// No intact snapshot could be taken, or a place could not be written to. The other places keep it.
pub(crate) fn run(arguments: &Save) -> Result<(), Failure> {
    let started = Instant::now();
    let saved = save(arguments);
    report_metrics(arguments, started, saved.as_ref().ok());
    let saved = saved?;
    end_with_first(saved.failures)?;
    data(saved.description.name())
}

fn save(arguments: &Save) -> Result<SavedSnapshot, Failure> {
    let recipients = Recipients::parse(&arguments.age_recipient)?;
    let settings = arguments.connection.settings(None)?;
    let (places, mut failures) = writable_backends(&arguments.places, create_private_folder)?;
    let backends = Backends::open(&places)?;
    let login = Login::read(&arguments.login, &arguments.connection, &settings)?;
    let signing_key = arguments.signing_key.as_deref();
    let signing_key = signing_key.map(SigningKey::read).transpose()?;
    if failures.is_empty() {
        refuse_same_disk(arguments, &backends)?;
    }
    let work = backends.create_work_directory()?;
    let mut locks = backends.lock(Some(&work))?;
    backends.remove_leftover_drafts(Some(&work));
    let mut download = Download {
        arguments,
        settings: &settings,
        login: &login,
        recipients: &recipients,
        work: &work,
        backends: &backends,
        locks: &mut locks,
    };
    let (draft, mut description) = download.run()?;
    if let Some(key) = signing_key {
        key.sign(&mut description);
    }
    let total = backends.all.len() + failures.len();
    failures.extend(put_everywhere(&backends.all, &draft, &description));
    note_saved(&description, total - failures.len(), total);
    Ok(SavedSnapshot {
        description,
        failures,
        dated_ahead: count_dated_ahead(&backends),
    })
}

fn note_saved(description: &Description, saved: usize, total: usize) {
    if saved > 0 {
        note(format_args!(
            "saved {} of cluster {}: {}, in {saved} of {total} places",
            description.name(),
            description.cluster_name,
            format_size(description.size),
        ));
    }
}

/// Refuses to save only on the disk with OpenBao's data, because its loss would take the cluster
/// and the snapshots.
fn refuse_same_disk(arguments: &Save, backends: &Backends) -> Result<(), Failure> {
    let Some(folders) = backends.only_folders().filter(|_| !arguments.same_disk) else {
        return Ok(());
    };
    let device = |path: &Path| fs::metadata(path).map(|file| file.dev());
    let Ok(cluster) = device(&arguments.cluster_storage) else {
        return Ok(()); // OpenBao has no data on this machine
    };
    let is_elsewhere = |folder| device(folder).is_ok_and(|device| device != cluster);
    if folders.iter().any(|folder| is_elsewhere(folder)) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "all snapshots would be on the disk that OpenBao keeps its data on (`{}`)",
        arguments.cluster_storage.display()
    ))
    .hint("name a place elsewhere as well, or give `--same-disk`"))
}

/// Stores the snapshot in all places at the same time, and returns the failures.
fn put_everywhere(
    backends: &[Box<dyn Backend>],
    draft: &Draft,
    description: &Description,
) -> Vec<Failure> {
    thread::scope(|scope| {
        let threads: Vec<_> = backends
            .iter()
            .map(|backend| scope.spawn(|| put_into(backend.as_ref(), draft, description)))
            .collect();
        let results = threads.into_iter().map(|thread| {
            let panicked = |_| Err(Failure::failed("a place could not be written to"));
            thread.join().unwrap_or_else(panicked)
        });
        results.filter_map(Result::err).collect()
    })
}

fn put_into(
    backend: &dyn Backend,
    draft: &Draft,
    description: &Description,
) -> Result<(), Failure> {
    let text = format_args!(
        "writing {} to {}",
        description.name(),
        backend.display_name()
    );
    let progress = Progress::begin(text);
    backend.put_snapshot(draft, description)?;
    drop(progress);
    // Leftovers only take space.
    backend
        .remove_leftovers()
        .unwrap_or_else(|failure| warn(failure.message()));
    Ok(())
}

fn count_dated_ahead(backends: &Backends) -> Option<u64> {
    let counts = backends.all.iter().map(|backend| {
        let listed = backend.list_snapshots().ok()?.into_iter();
        let ahead = listed.filter(|listed| listed.timestamp.is_in_future());
        Some(ahead.count() as u64)
    });
    counts.sum()
}

fn report_metrics(arguments: &Save, started: Instant, saved: Option<&SavedSnapshot>) {
    let is_success = saved.is_some_and(|saved| saved.failures.is_empty());
    let value = |known: Option<f64>| known.unwrap_or(f64::NAN);
    let description = saved.map(|saved| &saved.description);
    let now = || number(Timestamp::now().seconds());
    write_metrics(
        arguments.metrics_file.as_deref(),
        &[
            (
                "vault_snapshot_success",
                "Whether the last run put a snapshot into every place",
                flag(is_success),
            ),
            (
                "vault_snapshot_last_run_timestamp_seconds",
                "When the last run ended",
                now(),
            ),
            (
                "vault_snapshot_last_success_timestamp_seconds",
                "When the last run ended that put a snapshot into every place",
                value(is_success.then(now)),
            ),
            (
                "vault_snapshot_duration_seconds",
                "How long the last run took",
                started.elapsed().as_secs_f64(),
            ),
            (
                "vault_snapshot_size_bytes",
                "The size of the last snapshot as it is stored",
                value(description.map(|it| number(it.size))),
            ),
            (
                "vault_snapshot_newest_timestamp_seconds",
                "When the newest snapshot was taken, as it says itself",
                value(description.map(|it| number(it.taken_at.seconds()))),
            ),
            (
                "vault_snapshot_dated_ahead",
                "Snapshots in the places that are dated ahead of this clock",
                value(saved.and_then(|saved| saved.dated_ahead).map(number)),
            ),
            (
                "vault_snapshot_without_canary",
                "Whether OpenBao did not take the canary of the last snapshot",
                value(description.map(|it| flag(it.without_canary.is_some()))),
            ),
            (
                "vault_snapshot_places_missed",
                "Places that the last snapshot could not be put into",
                value(saved.map(|saved| number(saved.failures.len() as u64))),
            ),
        ],
    );
}
