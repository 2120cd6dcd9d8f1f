//! Fetches all secrets that are not in place as they are declared, in one process and over one
//! connection.
//!
//! [`run`] and [`fetch_jobs`] call the steps in order. One thread reads from OpenBao ([`Reader`]),
//! and a few write files and copies ([`writers`]). Where systemd started the process, the secrets'
//! own units wait until it is ready. [`markers`] make systemd skip the units of fetched secrets.

mod markers;
mod reader;
mod writers;

use std::{
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::Instant,
};

use zts_cli::{Failure, warn};
use zts_delivery::{
    Declarations, DeclaredOpenBao, DeclaredSecret, Error, QueryError, RuntimeDir, Session,
    SessionConfig,
    fetch::{FetchAttempt, FetchJob},
};
use zts_openbao::{SecretValue, Settings, kv};

use self::{
    markers::{Secrets, UnitsBefore},
    reader::{LIMITS_OF_SESSION, Reader},
    writers::{FetchResult, Query, Results},
};
use crate::{
    cli::FetchAll,
    fetch::find_missing,
    host::{self, HostSecret},
    status, text,
};

/// Fetches the secrets, each once. A secret that was not fetched is left to its own unit.
///
/// # Errors
/// Secrets that were not fetched.
pub(crate) fn run(arguments: &FetchAll, declarations: &Declarations) -> Result<(), Failure> {
    status::check_rights(declarations)?;
    let settings = host::settings(&arguments.connection, &declarations.openbao)?;
    let folder = arguments.markers.as_deref();
    let has_units = folder.is_some();
    let missing = find_missing(declarations);
    let mut results = Results::new();
    let mut jobs = Vec::new();
    for (name, declared) in missing {
        match create_job(name, declared, &declarations.openbao, &settings) {
            Ok(job) => jobs.push((name, job)),
            Err(error) => {
                let output = &declared.output_directory;
                let result = writers::record(name, output, Err(error), has_units);
                results.insert(name, result);
            }
        }
    }
    match open_session(arguments, &declarations.openbao, settings, &jobs) {
        Ok(session) => {
            let reader = Reader::new(session, arguments.cached_deadline, has_units);
            fetch_jobs(reader, &jobs, folder, &declarations.secrets, &mut results);
        }
        Err(error) => {
            if !jobs.is_empty() {
                warn(error);
            }
            results.extend(jobs.iter().map(|(name, _)| (*name, FetchResult::Left)));
            markers::notify_ready();
        }
    }
    report(&results)
}

/// Returns the fetch of a declared secret.
fn create_job<'a>(
    name: &'a str,
    declared: &'a DeclaredSecret,
    openbao: &'a DeclaredOpenBao,
    settings: &Settings,
) -> Result<FetchJob<'a>, Error> {
    let secret = HostSecret::new(name, declared, openbao, settings);
    let mut recipe = secret.recipe()?;
    if let Some(cache) = &mut recipe.cache {
        cache.max_age = declared.max_age(name)?;
    }
    Ok(FetchJob {
        secret: declared.reference(&openbao.kv_mount),
        identity: secret.identity,
        output: &declared.output_directory,
        recipe,
        has_services: !declared.services.is_empty(),
        warn: Box::new(move |message| warn(format_args!("`{name}`: {message}"))),
    })
}

/// Opens the session for all fetches.
fn open_session<'a>(
    arguments: &FetchAll,
    openbao: &'a DeclaredOpenBao,
    settings: Settings,
    jobs: &[(&str, FetchJob<'_>)],
) -> Result<Session<'a>, Error> {
    let output = jobs.first().map(|(_, job)| job.output);
    let runtime_dir = RuntimeDir::choose(arguments.runtime_dir.as_deref(), output);
    let config = SessionConfig::declared(openbao, settings, runtime_dir)?;
    Ok(config.open(LIMITS_OF_SESSION)?)
}

/// The most bytes of values that one process fetches beside the secrets' own units, which have a
/// memory limit each. Files in `/run` count, too.
const LARGEST_TOTAL: usize = 128 << 20;

/// Reads the secrets one after the other, while other threads write them. Publishes the markers
/// when all are written, or when the time for that is over. Threads that are not done yet go on
/// while systemd skips the units, so that a slow disk keeps no marker.
fn fetch_jobs<'a>(
    mut reader: Reader<'_>,
    jobs: &[(&'a str, FetchJob<'_>)],
    folder: Option<&Path>,
    secrets: &Secrets,
    results: &mut Results<'a>,
) {
    thread::scope(|scope| {
        let units = folder.map(|folder| (folder, scope.spawn(|| UnitsBefore::query(secrets))));
        let (queries, written) = writers::start(scope, jobs.len());
        let mut room = folder.map_or(usize::MAX, |_| LARGEST_TOTAL);
        for (name, job) in jobs {
            let query = match query_secret(&mut reader, name, job, folder.is_some(), &mut room) {
                Ok(query) => query,
                Err(result) => {
                    results.insert(name, result);
                    continue;
                }
            };
            if !writers::send_until(reader.units_wait_until(), &queries, query) {
                results.insert(name, FetchResult::Left);
            }
        }
        drop(queries);
        collect_until(reader.ready_at(), &written, results);
        // without markers, systemd runs the unit of each secret
        match units.map(|(folder, units)| (folder, units.join())) {
            Some((folder, Ok(Ok(units)))) => {
                markers::publish(folder, results, secrets, units).wait_for_units(secrets);
            }
            Some((_, Ok(Err(failure)))) => {
                warn(failure.message());
                markers::notify_ready();
            }
            Some((_, Err(_))) | None => markers::notify_ready(),
        }
        results.extend(written);
        reader.report(results.values().any(|result| *result == FetchResult::Left));
    });
}

/// Reads a secret with at most `room` bytes, and takes these from it. Returns the result of one
/// that there is nothing to write of.
fn query_secret<'a, 'job>(
    reader: &mut Reader<'_>,
    name: &'a str,
    job: &'job FetchJob<'job>,
    has_unit: bool,
    room: &mut usize,
) -> Result<Query<'a, 'job>, FetchResult> {
    let begun = FetchAttempt::begin(job).and_then(|attempt| Ok((attempt.newest_seen()?, attempt)));
    let (seen, attempt) =
        begun.map_err(|error| writers::record(name, job.output, Err(error), has_unit))?;
    let answer = reader
        .read(job.secret, job.host_state(seen.as_ref()))
        .ok_or(FetchResult::Left)?;
    *room = room
        .checked_sub(size_of(&answer))
        .ok_or(FetchResult::Left)?;
    Ok(Query {
        name,
        output: job.output,
        attempt,
        answer,
        has_unit,
    })
}

/// Returns the number of bytes of a secret's values.
fn size_of(answer: &Result<kv::SecretVersion, QueryError>) -> usize {
    let values = answer.iter().flat_map(|secret| &secret.values);
    let values = values.flat_map(|values| values.values());
    values.map(SecretValue::size).sum()
}

/// Collects results until all are there or the time is over.
fn collect_until<'a>(
    end: Instant,
    written: &Receiver<(&'a str, FetchResult)>,
    results: &mut Results<'a>,
) {
    loop {
        let time = end.saturating_duration_since(Instant::now());
        match written.recv_timeout(time) {
            Ok((name, result)) => drop(results.insert(name, result)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Returns the failure that names the secrets that were not fetched.
fn report(results: &Results<'_>) -> Result<(), Failure> {
    let others = results
        .iter()
        .filter(|(_, result)| **result != FetchResult::Fetched);
    let others: Vec<_> = others.map(|(name, _)| *name).collect();
    let Some(first) = others.first() else {
        return Ok(());
    };
    Err(
        Failure::failed(format!("secrets were not fetched: {}", text::list(&others))).hint(
            format!("`systemctl start vault-secret-{first}` tries again"),
        ),
    )
}
