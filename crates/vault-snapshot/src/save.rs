//! Taking a snapshot.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use cli::{Failure, data, note, warn};
use exposition::{flag, number};
use openbao::{Settings, kv, snapshot};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use crate::{
    cli::Save,
    cluster::{self, Leader, Missing},
    digest,
    draft::Draft,
    encryption::Recipients,
    failures::first,
    lock::Locked,
    login::Login,
    metadata::{Canary, Metadata},
    metrics,
    moment::Moment,
    reception::receive,
    signature::SigningKey,
    store::{Place, Stores, made},
    usable::usable,
};

/// Between two tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// Runs `vault-snapshot save`.
///
/// # Errors
/// No snapshot that is whole, or a place that it could not be put into. Places that have it keep it.
pub(crate) fn run(arguments: &Save) -> Result<(), Failure> {
    let started = Instant::now();
    let saved = save(arguments);
    let succeeded = saved.as_ref().is_ok_and(|saved| saved.missed.is_empty());
    let unknown = f64::NAN;
    let about = saved.as_ref().ok().map(|saved| &saved.metadata);
    let now = |known: bool| {
        if known {
            number(Moment::now().seconds())
        } else {
            unknown
        }
    };
    metrics::write(
        arguments.metrics_file.as_deref(),
        &[
            (
                "vault_snapshot_success",
                "Whether the last run put a snapshot into every place",
                flag(succeeded),
            ),
            (
                "vault_snapshot_last_run_timestamp_seconds",
                "When the last run ended",
                now(true),
            ),
            (
                "vault_snapshot_last_success_timestamp_seconds",
                "When the last run ended that put a snapshot into every place",
                now(succeeded),
            ),
            (
                "vault_snapshot_duration_seconds",
                "How long the last run took",
                started.elapsed().as_secs_f64(),
            ),
            (
                "vault_snapshot_size_bytes",
                "The size of the last snapshot as it is stored",
                about.map_or(unknown, |about| number(about.size)),
            ),
            (
                "vault_snapshot_newest_timestamp_seconds",
                "When the newest snapshot was taken, as it says itself",
                about.map_or(unknown, |about| number(about.taken_at.seconds())),
            ),
            (
                "vault_snapshot_dated_ahead",
                "Snapshots in the places that are dated ahead of this clock",
                saved
                    .as_ref()
                    .ok()
                    .and_then(|saved| saved.dated_ahead)
                    .map_or(unknown, number),
            ),
            (
                "vault_snapshot_without_canary",
                "Whether OpenBao did not take the canary of the last snapshot",
                about.map_or(unknown, |about| flag(about.without_canary.is_some())),
            ),
            (
                "vault_snapshot_places_missed",
                "Places that the last snapshot could not be put into",
                saved
                    .as_ref()
                    .map_or(unknown, |saved| number(saved.missed.len() as u64)),
            ),
        ],
    );
    let saved = saved?;
    first(saved.missed)?;
    data(saved.metadata.name())
}

/// A snapshot, and the places that do not have it.
struct Saved {
    metadata: Metadata,
    missed: Vec<Failure>,
    /// How many in the places a wrong clock dated; nothing where they cannot be listed.
    dated_ahead: Option<u64>,
}

fn save(arguments: &Save) -> Result<Saved, Failure> {
    let recipients = Recipients::parse(&arguments.age_recipient)?;
    let settings = arguments.connection.settings(None)?;
    let (places, mut missed) = usable(&arguments.places, made)?;
    let stores = Stores::open(&places)?;
    let login = Login::read(&arguments.login, &arguments.connection, &settings)?;
    let signing_key = arguments.signing_key.as_deref().map(SigningKey::read);
    let signing_key = signing_key.transpose()?;
    if missed.is_empty() {
        refuse_same_disk(arguments, &stores)?;
    }
    let work = stores.work()?;
    let mut locked = stores.lock(Some(&work))?;
    stores.sweep_drafts(Some(&work));
    let mut job = Job {
        arguments,
        settings: &settings,
        login: &login,
        recipients: &recipients,
        signing_key: signing_key.as_ref(),
        work: &work,
        stores: &stores,
        locked: &mut locked,
    };
    let (draft, metadata) = job.take()?;
    let all = stores.places.len() + missed.len();
    missed.extend(put(&stores.places, &draft, &metadata));
    if missed.len() < all {
        note(format_args!(
            "saved {} of cluster {}: {} bytes, in {} of {} places",
            metadata.name(),
            metadata.cluster_name,
            metadata.size,
            all - missed.len(),
            all,
        ));
    }
    Ok(Saved {
        metadata,
        missed,
        dated_ahead: dated_ahead(&stores),
    })
}

fn dated_ahead(stores: &Stores) -> Option<u64> {
    let places = stores.places.iter();
    let counts = places.map(|place| {
        let listed = place.list().ok()?.into_iter();
        Some(listed.filter(|listed| listed.moment.is_ahead()).count() as u64)
    });
    counts.sum()
}

/// All that one snapshot needs.
struct Job<'a> {
    arguments: &'a Save,
    settings: &'a Settings,
    login: &'a Login,
    recipients: &'a Recipients,
    signing_key: Option<&'a SigningKey>,
    work: &'a Path,
    stores: &'a Stores,
    locked: &'a mut Locked,
}

impl Job<'_> {
    /// Tries until a snapshot has come in whole.
    fn take(&mut self) -> Result<(Draft, Metadata), Failure> {
        let until = openbao::deadline_in(self.arguments.wait);
        let mut before: Option<String> = None;
        let taken = openbao::retry_until(
            until,
            PAUSES,
            |missing: &Missing| missing.may_pass,
            || {
                if let Some(trouble) = before.take() {
                    note(format_args!("{trouble}; tries again"));
                }
                self.attempt().inspect_err(|missing| {
                    before = Some(missing.failure.message().to_owned());
                })
            },
        );
        taken.map_err(|missing| missing.failure)
    }

    fn attempt(&mut self) -> Result<(Draft, Metadata), Missing> {
        let mut leader = cluster::leader(self.settings)?;
        self.login
            .apply(&mut leader.client)
            .map_err(cluster::missing)?;
        let taken = self.with_login(&leader);
        self.login.end(&leader.client);
        taken
    }

    fn with_login(&mut self, leader: &Leader) -> Result<(Draft, Metadata), Missing> {
        let taken_at = free_moment(self.locked, self.stores, &leader.cluster_name)?;
        let canary = self.arguments.canary.as_ref();
        let canary = canary.map(|(mount, path)| write_canary(leader, mount, path, taken_at));
        let (canary, without_canary) = match canary.transpose()? {
            Some(Err(why)) => (None, Some(why)),
            written => (written.and_then(Result::ok), None),
        };
        let archive = snapshot::save(&leader.client, self.arguments.silence).map_err(denied)?;
        let draft = receive(archive, self.recipients, self.work)?;
        let mut metadata = Metadata {
            format: Metadata::FORMAT,
            cluster_name: leader.cluster_name.clone(),
            cluster_id: leader.cluster_id.clone(),
            openbao_version: leader.version.clone(),
            taken_at,
            raft_index: draft.archive.index,
            raft_term: draft.archive.term,
            size: draft.stored.size,
            sha256: draft.stored.sha256.clone(),
            archive_size: draft.whole.size,
            archive_sha256: draft.whole.sha256.clone(),
            encrypted_to: self.recipients.texts(),
            canary,
            without_canary,
            signature: None,
        };
        if let Some(key) = self.signing_key {
            key.sign(&mut metadata);
        }
        Ok((draft, metadata))
    }
}

/// A second that no snapshot of this cluster has: names do not go finer, and none is replaced.
fn free_moment(locked: &mut Locked, stores: &Stores, cluster: &str) -> Result<Moment, Missing> {
    let failed = |failure| Missing {
        failure,
        may_pass: false,
    };
    for _ in 0..5 {
        let moment = locked.new_moment().map_err(|cause| {
            failed(Failure::failed(format!(
                "a lock could not be written to: {cause}"
            )))
        })?;
        let stem = crate::metadata::stem(cluster, moment);
        if !stores.places.iter().any(|place| place.holds(&stem)) {
            return Ok(moment);
        }
    }
    Err(failed(Failure::failed(
        "each second has a snapshot already: is the clock right?",
    )))
}

/// Writes a secret that nobody could guess, and gives what is told of it. Where OpenBao does not take it, the snapshot
/// is good all the same: a warning says so, and the reason is given.
fn write_canary(
    leader: &Leader,
    mount: &str,
    path: &str,
    taken_at: Moment,
) -> Result<Result<Canary, String>, Missing> {
    let mut random = [0_u8; 32];
    SystemRandom::new().fill(&mut random).map_err(|_| Missing {
        failure: Failure::failed("the system gives no random numbers"),
        may_pass: false,
    })?;
    let value = digest::hex(&random);
    let secret = json!({ "value": value, "written_at": taken_at });
    match kv::write(&leader.client, mount, path, &secret) {
        Ok(()) => Ok(Ok(Canary {
            mount: mount.to_owned(),
            path: path.to_owned(),
            sha256: digest::sha256(value.as_bytes()),
        })),
        Err(error) if error.is_transient() => Err(cluster::missing(error)),
        Err(error) => {
            let denied = matches!(error, openbao::Error::Denied { .. });
            let why: String = Failure::from(error).message().chars().take(300).collect();
            let hint = if denied {
                "its policy must allow `create` and `update`"
            } else {
                "it must be a secret of KV version 2"
            };
            warn(format_args!(
                "the snapshot is saved without its canary, so a drill can read nothing from it: {why} ({hint} on `{mount}/data/{path}`)"
            ));
            Ok(Err(why))
        }
    }
}

fn denied(error: openbao::Error) -> Missing {
    let hint = match &error {
        openbao::Error::Denied { .. } => Some(format!(
            "the policy must allow `read` on `{}`",
            snapshot::PATH
        )),
        openbao::Error::Refused { .. } => {
            Some("snapshots are raft storage's: is it in use there?".to_owned())
        }
        _ => None,
    };
    let mut missing = cluster::missing(error);
    if let Some(hint) = hint {
        missing.failure = missing.failure.hint(hint);
    }
    missing
}

/// Puts the snapshot into all places at once; a place that is slow or broken is no other's trouble.
fn put(places: &[Box<dyn Place>], draft: &Draft, metadata: &Metadata) -> Vec<Failure> {
    thread::scope(|scope| {
        let threads: Vec<_> = places
            .iter()
            .map(|place| scope.spawn(|| put_one(place.as_ref(), draft, metadata)))
            .collect();
        let ended = threads.into_iter().map(|thread| {
            let panicked = |_| Err(Failure::failed("a place could not be written to"));
            thread.join().unwrap_or_else(panicked)
        });
        ended.filter_map(Result::err).collect()
    })
}

fn put_one(place: &dyn Place, draft: &Draft, metadata: &Metadata) -> Result<(), Failure> {
    place.put(draft, metadata)?;
    // Debris of earlier runs costs room, nothing else.
    place
        .sweep()
        .unwrap_or_else(|failure| warn(failure.message()));
    Ok(())
}

/// A disk that is lost takes all that is on it: the cluster, and snapshots beside it.
fn refuse_same_disk(arguments: &Save, stores: &Stores) -> Result<(), Failure> {
    let Some(folders) = stores.only_folders().filter(|_| !arguments.same_disk) else {
        return Ok(());
    };
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev());
    let Ok(cluster) = device(&arguments.cluster_storage) else {
        return Ok(()); // OpenBao keeps no data on this machine
    };
    if folders
        .iter()
        .any(|folder| device(folder).is_ok_and(|device| device != cluster))
    {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the snapshots would lie on the disk that OpenBao keeps its data on (`{}`), and nowhere else",
        arguments.cluster_storage.display()
    ))
    .hint("name a place elsewhere as well, or say `--same-disk`"))
}
