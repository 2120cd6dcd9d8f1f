//! Trying whether a snapshot can be restored: into a server that is thrown away afterwards.
//!
//! What is restored is real. Its server would revoke at databases and clouds what it believes has expired; so
//! it is shut into a network of its own, which has nothing but loopback ([`isolation`]).

mod canary;
mod fetched;
mod isolation;
mod scratch;
mod server;
mod shares;
pub(crate) mod tied;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use cli::{Failure, data, note};
use exposition::{flag, number};

use crate::{
    chosen::{Chosen, with_folder},
    cli::Drill,
    encryption::Identities,
    metadata::Metadata,
    metrics,
    moment::Moment,
    store::Stores,
};
use canary::Reader;
use scratch::Scratch;
use server::Server;

/// Runs `vault-snapshot drill`.
///
/// # Errors
/// A snapshot that cannot be restored, unsealed, or that does not hold its canary.
pub(crate) fn run(arguments: &Drill) -> Result<(), Failure> {
    let started = Instant::now();
    let drilled = drill(arguments);
    let seconds = |moment: Moment| number(moment.seconds());
    let ok = drilled.is_ok();
    let if_ok = |moment| if ok { seconds(moment) } else { f64::NAN };
    metrics::write(
        arguments.metrics_file.as_deref(),
        &[
            (
                "vault_snapshot_drill_success",
                "Whether the last drill restored a snapshot and read what it should hold",
                flag(ok),
            ),
            (
                "vault_snapshot_drill_last_run_timestamp_seconds",
                "When the last drill ended",
                seconds(Moment::now()),
            ),
            (
                "vault_snapshot_drill_last_success_timestamp_seconds",
                "When the last drill ended that succeeded",
                if_ok(Moment::now()),
            ),
            (
                "vault_snapshot_drill_snapshot_timestamp_seconds",
                "When the snapshot was taken that the last good drill restored",
                drilled
                    .as_ref()
                    .ok()
                    .and_then(|taken_at| *taken_at)
                    .map_or(f64::NAN, seconds),
            ),
            (
                "vault_snapshot_drill_duration_seconds",
                "How long the last drill took",
                started.elapsed().as_secs_f64(),
            ),
        ],
    );
    drilled.map(|_| ())
}

/// Gives when the snapshot was taken, where that is known.
fn drill(arguments: &Drill) -> Result<Option<Moment>, Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let shares = shares::read(
        &arguments.unseal_key_file,
        arguments.allow_readable_key_files,
    )?;
    if shares.is_empty() && arguments.seal_config.is_none() {
        return Err(Failure::usage("nothing would unseal what is restored")
            .hint("`--unseal-key-file`, or `--seal-config` for a seal that opens by itself"));
    }
    let (name, places) = with_folder(arguments.snapshot.as_deref(), &arguments.places);
    let stores = Stores::open(&places)?.verified_by(&arguments.verification)?;
    let chosen = Chosen::find(&stores, name.as_deref())?;
    let metadata = chosen.metadata()?;
    chosen.needs_identity(metadata.is_some_and(Metadata::is_encrypted), &identities)?;
    let wanted = metadata.filter(|_| !arguments.without_canary);
    let canary = wanted.and_then(|metadata| metadata.canary.as_ref());
    let reader = canary
        .map(|_| Reader::new(&arguments.approle_dir, &arguments.auth_mount))
        .transpose()?;
    let scratch = Scratch::new(places.work.as_deref())?;
    let hidden = arguments.hide.iter().map(PathBuf::as_path);
    let hidden: Vec<_> = hidden.filter(|path| *path != Path::new("none")).collect();
    refuse_to_hide(scratch.path(), &hidden)?;
    let archive = fetched::fetch(&chosen, &identities, scratch.path())?;
    isolation::enter(arguments.with_network, &hidden)?;
    let mut server = Server::start(arguments, scratch.path())?;
    let cluster_id = metadata.map(|metadata| metadata.cluster_id.as_str());
    server.restore(&archive, cluster_id, &shares)?;
    let name = chosen.shown();
    if let Some((reader, canary)) = reader.zip(canary) {
        let written = reader.read(server.client(), canary)?;
        data(format_args!(
            "{name}: restored, unsealed, and its canary of {written} read"
        ))?;
    } else if let Some(metadata) = wanted {
        return Err(without_canary(&name, metadata));
    } else {
        data(format_args!("{name}: restored and unsealed"))?;
        note(if metadata.is_some() {
            "no secret was read from it"
        } else {
            "no secret was read from it: there is no description beside it that names one"
        });
    }
    Ok(metadata.map(|metadata| metadata.taken_at))
}

/// It came up, but nothing shows that what was written last is in it.
fn without_canary(name: &str, metadata: &Metadata) -> Failure {
    let why = match &metadata.without_canary {
        Some(why) => format!("it was saved without its canary ({why})"),
        None => "it was saved without a canary".to_owned(),
    };
    Failure::failed(format!(
        "{name}: restored and unsealed, but no secret was read from it: {why}"
    ))
    .hint("`vault-snapshot save --canary`, with a policy that allows it; or be content with `--without-canary`")
}

/// What is in a folder that is hidden is out of reach for this program, too: the archive would stay behind.
fn refuse_to_hide(scratch: &Path, hidden: &[&Path]) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let scratch = real(scratch);
    let holds = |folder: &&&Path| scratch.starts_with(real(folder));
    let Some(folder) = hidden.iter().find(holds) else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "`{}` cannot be hidden: the drill itself works in it",
        folder.display()
    ))
    .hint("name another folder for that with `--work`"))
}
