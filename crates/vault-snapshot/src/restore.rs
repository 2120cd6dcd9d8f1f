//! `vault-snapshot restore`.

use std::{
    io::{self, IsTerminal},
    thread,
    time::{Duration, Instant},
};

use zts_cli::{Failure, Progress, note};
use zts_openbao::{Authentication, NodeError, NodeFailure, TransportError, snapshot, sys};

use crate::{
    cli::Restore,
    cluster::{ActiveNode, connect_active_node},
    description::Description,
    digest::VerifyingReader,
    encryption::Identities,
    login,
    selected_snapshot::{SelectedSnapshot, VerifiedSnapshot, split_path},
    store::Backends,
};

/// The slowest connection to OpenBao in bytes a second.
const MIN_RATE: u64 = 1 << 20;
/// The time that OpenBao may take to apply the uploaded snapshot.
const APPLY_TIMEOUT: Duration = Duration::from_secs(120);
/// The time for which OpenBao's status must not change before the snapshot counts as applied.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// Runs `vault-snapshot restore`.
///
/// # Errors
/// The snapshot is damaged or, without `--force`, another cluster's, OpenBao refuses it, or the
/// user does not confirm.
pub(crate) fn run(arguments: &Restore) -> Result<(), Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let settings = arguments.connection.settings(None)?;
    let token = match &arguments.token_file {
        Some(path) => login::read_token(path)?,
        None => zts_cli::operator_token(&arguments.connection, &settings)?,
    };
    let (name, places) = split_path(arguments.snapshot.as_deref(), &arguments.places);
    let backends = Backends::open(&places)?.verified_by(&arguments.verification)?;
    let selected = SelectedSnapshot::select(&backends, name.as_deref())?;
    let description = selected.readable_description(&identities)?;
    let verified = selected.verify(&identities)?;
    let mut node = connect_active_node(&settings).map_err(|attempt| attempt.failure)?;
    match description {
        Some(description) => refuse_other_cluster(arguments, description, &node)?,
        None => note(format_args!(
            "{} has no description beside it: only OpenBao can tell by its keys of which cluster it is",
            selected.display_name()
        )),
    }
    if !arguments.yes {
        confirm(&selected, description, &node)?;
    }
    node.client.authenticate(Authentication::Token(token));
    upload(arguments, &selected, verified, &identities, &node)?;
    wait_until_applied(&selected, description, &node)
}

fn refuse_other_cluster(
    arguments: &Restore,
    description: &Description,
    node: &ActiveNode,
) -> Result<(), Failure> {
    if description.cluster_id == node.cluster_id || arguments.force {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} is a snapshot of cluster `{}` ({}), and OpenBao at `{}` is of cluster `{}` ({})",
        description.name(),
        description.cluster_name,
        description.cluster_id,
        node.client.address(),
        node.cluster_name,
        node.cluster_id
    ))
    .hint("give `--force` for a new cluster that replaces a lost one; it is then unsealed with the key shares of the lost one"))
}

fn confirm(
    selected: &SelectedSnapshot<'_>,
    description: Option<&Description>,
    node: &ActiveNode,
) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "restoring must be confirmed, and standard input is no terminal",
        )
        .hint("`--yes` confirms it"));
    }
    let origin = match description {
        Some(description) => format!(
            "taken {} ({} ago) of cluster `{}`",
            description.taken_at,
            description.taken_at.age(),
            description.cluster_name
        ),
        None => "its time and its cluster are not known".to_owned(),
    };
    let answer = zts_cli::ask(format_args!(
        "{}\n  {origin}\n  replaces all data of cluster `{}` at {}\nType the name of that cluster to continue:\n",
        selected.display_name(),
        node.cluster_name,
        node.client.address(),
    ))?;
    if answer.as_deref() == Some(node.cluster_name.as_str()) {
        return Ok(());
    }
    Err(Failure::failed(
        "nothing is restored: that is not the cluster's name",
    ))
}

fn upload(
    arguments: &Restore,
    selected: &SelectedSnapshot<'_>,
    verified: VerifiedSnapshot,
    identities: &Identities,
    node: &ActiveNode,
) -> Result<(), Failure> {
    let total = Duration::from_secs(60 + verified.stored.size / MIN_RATE);
    let stored = selected
        .backend
        .open_snapshot(&selected.snapshot.listed.name)?;
    let progress = Progress::begin_bytes(
        format_args!("uploading {}", selected.display_name()),
        verified.stored.size,
    );
    let stored = VerifyingReader::new(progress.reader(stored), verified.stored);
    let mismatch = stored.mismatch();
    let mut archive = identities.open_archive(stored, verified.is_encrypted)?;
    let started = Instant::now();
    let uploaded = snapshot::restore(&node.client, &mut *archive, arguments.force, total);
    uploaded.map_err(|error| {
        if mismatch.get() {
            return Failure::failed(format!(
                "nothing is restored: {} has changed since it was verified",
                selected.display_name()
            ))
            .hint("find out what replaces it, and start again");
        }
        let hint = upload_hint(&error, arguments.force, started.elapsed());
        let failure = Failure::from(error).context("nothing is restored");
        hint.into_iter().fold(failure, Failure::hint)
    })
}

/// Returns the hint for an upload that failed after `took`.
fn upload_hint(error: &zts_openbao::Error, force: bool, took: Duration) -> Option<String> {
    match error {
        zts_openbao::Error::Refused { api_error, .. } => {
            let is_other_seal = api_error
                .messages
                .iter()
                .any(|text| text.contains("snapshot-force"));
            is_other_seal.then(|| "the snapshot has other key shares or another seal: give `--force`, and then unseal with those".to_owned())
        }
        zts_openbao::Error::Denied { .. } => {
            let path = if force {
                snapshot::PATH_FORCE
            } else {
                snapshot::PATH
            };
            Some(format!(
                "the token's policies must allow `update` on `{path}`, with `--force` also `sudo`"
            ))
        }
        zts_openbao::Error::Unavailable { attempts } if attempts.iter().any(is_interrupted) => {
            let seconds = took.as_secs();
            Some(format!(
                "the upload ended after {seconds} s, and OpenBao limits it to its listener's `http_read_timeout`, 30 s by default: raise that, or restore from a machine nearer to it"
            ))
        }
        _ => None,
    }
}

/// Returns whether a server ended an upload, by a message or by closing the connection.
fn is_interrupted(attempt: &NodeFailure) -> bool {
    match &attempt.error {
        NodeError::Server { messages, .. } => {
            messages.iter().any(|text| text.contains("i/o timeout"))
        }
        NodeError::Transport(TransportError::Closed(_)) => true,
        _ => false,
    }
}

/// Waits until OpenBao has applied the snapshot, because it answers before that.
fn wait_until_applied(
    selected: &SelectedSnapshot<'_>,
    description: Option<&Description>,
    node: &ActiveNode,
) -> Result<(), Failure> {
    let is_restored_cluster = |id: &str| description.is_none_or(|it| it.cluster_id == id);

    let until = Instant::now() + APPLY_TIMEOUT;
    let address = node.client.address();
    let _progress = Progress::begin_wait(
        format_args!("applying the snapshot: OpenBao at {address}"),
        until,
    );
    // Whether OpenBao serves the snapshot or is sealed with it, and since when.
    let mut state: Option<(bool, Instant)> = None;
    while Instant::now() < until {
        let is_serving = match sys::seal_status(&node.client) {
            Ok(status) if status.sealed => Some(false),
            Ok(status) if is_restored_cluster(&status.cluster_id) => {
                let active = sys::leader(&node.client).is_ok_and(|answer| answer.is_active());
                active.then_some(true)
            }
            _ => None,
        };
        let unchanged = state.filter(|(before, _)| Some(*before) == is_serving);
        state = is_serving.map(|now| unchanged.unwrap_or((now, Instant::now())));
        if let Some((is_serving, since)) = state
            && since.elapsed() >= SETTLE_TIME
        {
            report_restored(selected, description, node, is_serving);
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(Failure::failed(format!(
        "OpenBao at `{}` has accepted the snapshot, but does not serve its content after {} s",
        node.client.address(),
        APPLY_TIMEOUT.as_secs()
    ))
    .hint("its log says why"))
}

fn report_restored(
    selected: &SelectedSnapshot<'_>,
    description: Option<&Description>,
    node: &ActiveNode,
    is_serving: bool,
) {
    let (name, address) = (&selected.snapshot.listed.name, node.client.address());
    if is_serving {
        note(format_args!(
            "{name} is restored; OpenBao at {address} serves it"
        ));
    } else {
        // Until the restart it expects as many shares as it was initialised with, because it caches
        // its seal's configuration.
        let cluster = description.map_or("the snapshot's cluster".to_owned(), |it| {
            format!("cluster `{}`", it.cluster_name)
        });
        note(format_args!(
            "{name} is restored; OpenBao at {address} is sealed: restart it, then unseal it and each other node with the key shares of {cluster}"
        ));
    }
}
