//! The threads that write files and copies, so that a slow disk does not delay the next read.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender, SyncSender, TrySendError},
    },
    thread::{self, Scope},
    time::{Duration, Instant},
};

use zts_cli::warn;
use zts_delivery::{
    Error, Failures, QueryError,
    fetch::{FetchAttempt, FetchOutcome, UnstoredCopy},
};
use zts_openbao::kv::SecretVersion;

/// The most threads. Each waits for the disk, or for the program that seals a copy.
const THREADS: usize = 4;

/// The most answers that wait for a thread, because each may be large.
const QUEUE: usize = 4;

/// The most bytes of values that a thread keeps until it stores their copies.
const LARGEST_DELAYED: usize = 2 << 20;

/// The pause before a query is passed again to threads that were all busy.
const PAUSE: Duration = Duration::from_millis(2);

/// The result of a secret's fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchResult {
    /// The secret is deployed.
    Fetched,
    /// It could not be fetched.
    Failed,
    /// There was no answer in time, and there is no copy; or another run was faster.
    Left,
}

/// The results by the secrets' names.
pub(super) type Results<'a> = BTreeMap<&'a str, FetchResult>;

/// A query and its answer.
pub(super) struct Query<'a, 'job> {
    pub(super) name: &'a str,
    pub(super) output: &'job Path,
    pub(super) attempt: FetchAttempt<'job>,
    pub(super) answer: Result<SecretVersion, QueryError>,
    /// Set where the secret's own unit tries again, and then notes its failure.
    pub(super) has_unit: bool,
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
        scope.spawn(move || write_answers(&queue, results));
    }
    (sender, written)
}

/// Passes a query to a thread. Returns false where all were busy until `end`, with slow disks or
/// locked directories.
pub(super) fn send_until<T>(end: Option<Instant>, queries: &SyncSender<T>, mut query: T) -> bool {
    loop {
        query = match queries.try_send(query) {
            Ok(()) => return true,
            Err(TrySendError::Full(query)) => query,
            Err(TrySendError::Disconnected(_)) => return false,
        };
        if end.is_some_and(|end| Instant::now() >= end) {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Deploys secrets until there are no more, and stores their copies after that. Sealing copies
/// takes longer than all else, and no service waits for it.
fn write_answers<'a>(
    queue: &Mutex<Receiver<Query<'a, '_>>>,
    results: Sender<(&'a str, FetchResult)>,
) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let (mut copies, mut size) = (Vec::new(), 0);
    while let Ok(mut query) = next() {
        query.attempt.store_later();
        let name = query.name;
        let (result, copy) = write_answer(query);
        let _ = results.send((name, result)); // until all are there
        match copy {
            Some(copy) if size + copy.size() <= LARGEST_DELAYED => {
                size += copy.size();
                copies.push(copy);
            }
            Some(copy) => copy.store(),
            None => {}
        }
    }
    drop(results);
    copies.iter().for_each(UnstoredCopy::store);
}

fn write_answer<'job>(query: Query<'_, 'job>) -> (FetchResult, Option<UnstoredCopy<'job>>) {
    let Query {
        name,
        output,
        mut attempt,
        answer,
        has_unit,
    } = query;
    let is_unavailable =
        matches!(&answer, Err(error @ QueryError::Unavailable(_)) if !error.concerns_one_secret());
    let result = match attempt.deploy_answer(answer) {
        Err(Error::NoCache { .. }) if is_unavailable => FetchResult::Left,
        result => record(name, output, result, has_unit),
    };
    (result, attempt.take_copy())
}

/// Records and reports the result of a fetch. Where the secret's own unit tries again, that one
/// notes a failure, which then counts once.
pub(super) fn record(
    name: &str,
    output: &Path,
    result: Result<FetchOutcome, Error>,
    has_unit: bool,
) -> FetchResult {
    if result.is_ok() || !has_unit {
        Failures::record(output, result.as_ref().err());
    }
    match result {
        Ok(FetchOutcome::Done) => FetchResult::Fetched,
        Ok(FetchOutcome::Overtaken) => FetchResult::Left,
        Err(error) => {
            warn(format_args!("`{name}` was not written: {error}"));
            FetchResult::Failed
        }
    }
}
