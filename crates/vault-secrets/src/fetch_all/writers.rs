//! The threads that write files and copies, so that flushing and sealing one copy does not delay
//! the next read.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread::Scope,
};

use zts_cli::warn;
use zts_delivery::{
    Error, Failures, QueryError,
    fetch::{Attempt, Outcome},
};
use zts_openbao::kv::Secret;

use super::FetchResult;

/// The most threads. Each waits for the disk, or for the program that seals a copy.
const THREADS: usize = 4;

/// The most answers that wait for a thread, because each may be large.
const QUEUE: usize = 4;

/// A query and its answer.
pub(super) struct Query<'a, 'job> {
    pub(super) name: &'a str,
    pub(super) output: &'job Path,
    pub(super) attempt: Attempt<'job>,
    pub(super) answer: Result<Secret, QueryError>,
}

/// Starts the threads. They end when the sender is dropped and all queries are done.
pub(super) fn start<'scope, 'a: 'scope, 'job: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    queries: usize,
) -> (
    SyncSender<Query<'a, 'job>>,
    Receiver<(&'a str, FetchResult)>,
) {
    let (sender, queue) = mpsc::sync_channel(QUEUE);
    let queue = Arc::new(Mutex::new(queue));
    let (results, written) = mpsc::channel();
    for _ in 0..queries.min(THREADS) {
        let (queue, results) = (Arc::clone(&queue), results.clone());
        scope.spawn(move || write_answers(&queue, &results));
    }
    (sender, written)
}

fn write_answers<'a>(
    queue: &Mutex<Receiver<Query<'a, '_>>>,
    results: &Sender<(&'a str, FetchResult)>,
) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(query) = next() {
        let _ = results.send((query.name, write_answer(query))); // until all are there
    }
}

fn write_answer(query: Query<'_, '_>) -> FetchResult {
    let Query {
        name,
        output,
        mut attempt,
        answer,
    } = query;
    let is_unavailable =
        matches!(&answer, Err(error @ QueryError::Unavailable(_)) if !error.concerns_one_secret());
    match attempt.deploy_answer(answer) {
        Err(Error::NoCache { .. }) if is_unavailable => FetchResult::Left,
        result => record(name, output, result),
    }
}

/// Records and reports the result of a fetch.
pub(super) fn record(name: &str, output: &Path, result: Result<Outcome, Error>) -> FetchResult {
    Failures::record(output, result.as_ref().err());
    match result {
        Ok(Outcome::Done) => FetchResult::Fetched,
        Ok(Outcome::Overtaken) => FetchResult::Left,
        Err(error) => {
            warn(format_args!("`{name}` was not written: {error}"));
            FetchResult::Failed
        }
    }
}
