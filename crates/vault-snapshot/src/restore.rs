//! Restoring a snapshot into a cluster.

use std::{
    io::{self, BufRead, IsTerminal},
    thread,
    time::{Duration, Instant},
};

use cli::{Failure, note};
use openbao::{Attempt, Authentication, Trouble, snapshot, sys};

use crate::{
    chosen::{Checked, Chosen, with_folder},
    cli::Restore,
    cluster::{self, Leader},
    digest::Attested,
    encryption::Identities,
    login,
    metadata::Metadata,
    store::Stores,
};

/// How slow a connection to OpenBao may be, in bytes a second.
const SLOWEST: u64 = 1 << 20;
/// How long OpenBao may take to apply what it has read.
const APPLYING: Duration = Duration::from_secs(120);
/// It counts as applied when nothing has changed for so long.
const SETTLED: Duration = Duration::from_secs(2);

/// Runs `vault-snapshot restore`.
///
/// # Errors
/// A snapshot that is damaged, that is another cluster's without `--force`, that OpenBao refuses, or nobody's yes.
pub(crate) fn run(arguments: &Restore) -> Result<(), Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let settings = arguments.connection.settings(None)?;
    let token = match &arguments.token_file {
        Some(path) => login::read_word(path)?,
        None => cli::operator_token(&arguments.connection, &settings)?,
    };
    let (name, places) = with_folder(arguments.snapshot.as_deref(), &arguments.places);
    let stores = Stores::open(&places)?.verified_by(&arguments.verification)?;
    let chosen = Chosen::find(&stores, name.as_deref())?;
    let metadata = chosen.metadata()?;
    chosen.needs_identity(metadata.is_some_and(Metadata::is_encrypted), &identities)?;
    let checked = chosen.check(&identities)?;
    let mut leader = cluster::leader(&settings).map_err(|missing| missing.failure)?;
    match metadata {
        Some(metadata) => refuse_another(arguments, metadata, &leader)?,
        None => note(format_args!(
            "{} has no description beside it: which cluster it is of, only OpenBao's keys tell",
            chosen.shown()
        )),
    }
    if !arguments.yes {
        ask(&chosen, metadata, &leader)?;
    }
    leader.client.authenticate(Authentication::Token(token));
    send(arguments, &chosen, checked, &identities, &leader)?;
    wait_until_applied(&chosen, metadata, &leader)
}

fn refuse_another(
    arguments: &Restore,
    metadata: &Metadata,
    leader: &Leader,
) -> Result<(), Failure> {
    if metadata.cluster_id == leader.cluster_id || arguments.force {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} is a snapshot of cluster `{}` ({}), and OpenBao at `{}` is of cluster `{}` ({})",
        metadata.name(),
        metadata.cluster_name,
        metadata.cluster_id,
        leader.client.address(),
        leader.cluster_name,
        leader.cluster_id
    ))
    .hint("for a new cluster in the place of a lost one: `--force`; it is then unsealed with the key shares of the lost one"))
}

fn ask(chosen: &Chosen<'_>, metadata: Option<&Metadata>, leader: &Leader) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "restoring needs a yes, and nobody is at a terminal to give it",
        )
        .hint("`--yes` gives it"));
    }
    let about = match metadata {
        Some(metadata) => format!(
            "taken {} ({} ago) of cluster `{}`",
            metadata.taken_at,
            metadata.taken_at.age(),
            metadata.cluster_name
        ),
        None => "taken at a time and of a cluster that are not known".to_owned(),
    };
    note(format_args!(
        "{}\n  {about}\n  goes in the place of all that cluster `{}` at {} holds now\nType the name of that cluster to go on:",
        chosen.shown(),
        leader.cluster_name,
        leader.client.address(),
    ));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|cause| Failure::failed(format!("the answer could not be read: {cause}")))?;
    if line.trim() == leader.cluster_name {
        return Ok(());
    }
    Err(Failure::failed(
        "nothing is restored: that is not the cluster's name",
    ))
}

fn send(
    arguments: &Restore,
    chosen: &Chosen<'_>,
    checked: Checked,
    identities: &Identities,
    leader: &Leader,
) -> Result<(), Failure> {
    let total = Duration::from_secs(60 + checked.stored.size / SLOWEST);
    let stored = chosen.place.open(&chosen.entry.listed.name)?;
    let stored = Attested::new(stored, checked.stored);
    let replaced = stored.replaced();
    let mut archive = identities.archive(stored, checked.encrypted)?;
    let began = Instant::now();
    let sent = snapshot::restore(&leader.client, &mut *archive, arguments.force, total);
    sent.map_err(|error| {
        if replaced.get() {
            return Failure::failed(format!(
                "nothing is restored: {} is no longer what it was when it was checked",
                chosen.shown()
            ))
            .hint("find out who replaces it, and start again");
        }
        let hint = match &error {
            openbao::Error::Refused { refusal, .. } => {
                let seal = refusal.messages.iter().any(|text| text.contains("snapshot-force"));
                seal.then(|| "the snapshot is of another set of key shares or another seal: `--force`, and then unseal with those".to_owned())
            }
            openbao::Error::Denied { .. } => {
                let path = if arguments.force { snapshot::PATH_FORCE } else { snapshot::PATH };
                Some(format!("the token's policies must allow `update` on `{path}`, with `--force` also `sudo`"))
            }
            openbao::Error::Unavailable { attempts } if attempts.iter().any(is_cut_off) => {
                let took = began.elapsed().as_secs();
                Some(format!("it went on for {took} s, and OpenBao gives an upload no more than its listener's `http_read_timeout`, which is 30 s by default: raise it there, or restore from a machine nearer to it"))
            }
            _ => None,
        };
        let failure = Failure::from(error).context("nothing is restored");
        hint.into_iter().fold(failure, Failure::hint)
    })
}

/// Whether a server had enough of an upload: it says so, or just ends the connection.
fn is_cut_off(attempt: &Attempt) -> bool {
    match &attempt.trouble {
        Trouble::Server { messages, .. } => {
            messages.iter().any(|text| text.contains("i/o timeout"))
        }
        Trouble::Closed(_) => true,
        _ => false,
    }
}

/// OpenBao answers before it applies what it has read.
fn wait_until_applied(
    chosen: &Chosen<'_>,
    metadata: Option<&Metadata>,
    leader: &Leader,
) -> Result<(), Failure> {
    let is_its = |id: &str| metadata.is_none_or(|metadata| metadata.cluster_id == id);

    let until = Instant::now() + APPLYING;
    let mut settled_since = None;
    while Instant::now() < until {
        let status = sys::seal_status(&leader.client);
        let now = match status {
            Ok(status) if status.sealed => Some(false),
            Ok(status) if is_its(&status.cluster_id) => {
                let active = sys::leader(&leader.client).is_ok_and(|answer| answer.is_active());
                active.then_some(true)
            }
            _ => None,
        };
        let since = settled_since.filter(|(state, _)| Some(*state) == now);
        settled_since = now.map(|state| since.unwrap_or((state, Instant::now())));
        if let Some((open, since)) = settled_since
            && since.elapsed() >= SETTLED
        {
            told(chosen, metadata, leader, open);
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(Failure::failed(format!(
        "OpenBao at `{}` has taken the snapshot, but does not serve what is in it after {} s",
        leader.client.address(),
        APPLYING.as_secs()
    ))
    .hint("its log says why"))
}

fn told(chosen: &Chosen<'_>, metadata: Option<&Metadata>, leader: &Leader, open: bool) {
    let (name, address) = (&chosen.entry.listed.name, leader.client.address());
    if open {
        note(format_args!(
            "{name} is restored; OpenBao at {address} serves it"
        ));
    } else {
        // Until then it wants as many shares as it was initialised with: it keeps in mind what it has read of its seal.
        let cluster = metadata.map_or("that it is of".to_owned(), |metadata| {
            format!("`{}`", metadata.cluster_name)
        });
        note(format_args!(
            "{name} is restored; OpenBao at {address} is sealed: restart it, then unseal it, and each other node, with the key shares of cluster {cluster}"
        ));
    }
}
