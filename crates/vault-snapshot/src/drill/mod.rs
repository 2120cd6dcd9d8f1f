//! `vault-snapshot drill`: restores a snapshot into a throw-away server.
//!
//! The restored data is real: its server would revoke at databases and clouds the credentials that
//! it believes to have expired. So it runs in a network namespace with only loopback
//! ([`isolate`]).

mod scratch;
mod server;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use zts_cli::{Failure, data, note};
use zts_exposition::{flag, number};
use zts_openbao::{AppRoleCredentials, Authentication, Client, Error, SecretValue, approle, kv};

use crate::{
    cli::Drill,
    description::{Canary, Description},
    digest,
    encryption::Identities,
    platform::isolate,
    report::write_metrics,
    selected_snapshot::{SelectedSnapshot, split_path},
    store::Backends,
    timestamp::Timestamp,
};
use scratch::{ScratchFolder, fetch_archive};
use server::{ThrowAwayServer, read_key_shares};

/// Runs `vault-snapshot drill`.
///
/// # Errors
/// The snapshot cannot be restored or unsealed, or does not hold its canary.
pub(crate) fn run(arguments: &Drill) -> Result<(), Failure> {
    let started = Instant::now();
    let drilled = drill(arguments);
    report_metrics(arguments, started, drilled.as_ref().ok());
    drilled.map(|_| ())
}

/// Returns the time of the snapshot, where it is known.
fn drill(arguments: &Drill) -> Result<Option<Timestamp>, Failure> {
    let identities = Identities::read(&arguments.identities.age_identity)?;
    let shares = read_key_shares(
        &arguments.unseal_key_file,
        arguments.allow_readable_key_files,
    )?;
    if shares.is_empty() && arguments.seal_config.is_none() {
        return Err(
            Failure::usage("there is nothing to unseal the restored server with").hint(
                "give `--unseal-key-file`, or `--seal-config` for a seal that unseals by itself",
            ),
        );
    }
    let (name, places) = split_path(arguments.snapshot.as_deref(), &arguments.places);
    let backends = Backends::open(&places)?.verified_by(&arguments.verification)?;
    let selected = SelectedSnapshot::select(&backends, name.as_deref())?;
    let description = selected.readable_description(&identities)?;
    let expected = description.filter(|_| !arguments.without_canary);
    let canary = expected.and_then(|description| description.canary.as_ref());
    let reader = canary
        .map(|_| CanaryReader::new(&arguments.approle_dir, &arguments.auth_mount))
        .transpose()?;
    let scratch = ScratchFolder::create(places.work.as_deref())?;
    let hidden = arguments.hide.iter().map(PathBuf::as_path);
    let hidden: Vec<_> = hidden.filter(|path| *path != Path::new("none")).collect();
    refuse_to_hide(scratch.path(), &hidden)?;
    let archive = fetch_archive(&selected, &identities, scratch.path())?;
    isolate(arguments.with_network, &hidden)?;
    let mut server = ThrowAwayServer::start(arguments, scratch.path())?;
    let cluster_id = description.map(|description| description.cluster_id.as_str());
    server.restore(&archive, cluster_id, &shares)?;
    let name = selected.display_name();
    if let Some((reader, canary)) = reader.zip(canary) {
        let written_at = reader.read(server.client(), canary)?;
        data(format_args!(
            "{name}: restored, unsealed, and its canary of {written_at} read"
        ))?;
    } else if let Some(description) = expected {
        return Err(no_canary(&name, description));
    } else {
        report_without_canary(&name, description)?;
    }
    Ok(description.map(|description| description.taken_at))
}

fn report_without_canary(name: &str, description: Option<&Description>) -> Result<(), Failure> {
    data(format_args!("{name}: restored and unsealed"))?;
    note(if description.is_some() {
        "no secret was read from it"
    } else {
        "no secret was read from it: there is no description beside it that names one"
    });
    Ok(())
}

/// Returns the failure for a snapshot without a canary: it was restored, but nothing shows that it
/// has the latest data.
fn no_canary(name: &str, description: &Description) -> Failure {
    let why = match &description.without_canary {
        Some(why) => format!("it was saved without its canary ({why})"),
        None => "it was saved without a canary".to_owned(),
    };
    Failure::failed(format!(
        "{name}: restored and unsealed, but no secret was read from it: {why}"
    ))
    .hint("save with `vault-snapshot save --canary` and a policy that allows it, or drill with `--without-canary`")
}

/// Refuses to hide the folder with the scratch folder, because the archive would stay in it.
fn refuse_to_hide(scratch: &Path, hidden: &[&Path]) -> Result<(), Failure> {
    let resolve = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let scratch = resolve(scratch);
    let holds_scratch = |folder: &&&Path| scratch.starts_with(resolve(folder));
    let Some(folder) = hidden.iter().find(holds_scratch) else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "`{}` cannot be hidden: the drill works in it",
        folder.display()
    ))
    .hint("name another work directory with `--work`"))
}

/// Reads the canary by an AppRole login, which is restored as well and so is tested, too.
struct CanaryReader {
    mount: String,
    credentials: AppRoleCredentials,
}

impl CanaryReader {
    /// Reads the credentials.
    ///
    /// # Errors
    /// A file is missing or invalid.
    fn new(folder: &Path, mount: &str) -> Result<Self, Failure> {
        let credentials = zts_delivery::credentials::read(folder).map_err(|cause| {
            Failure::usage(cause).hint(
                "give an AppRole that may read the canary with `--approle-dir`, or give `--without-canary`",
            )
        })?;
        Ok(Self {
            mount: mount.trim_matches('/').to_owned(),
            credentials,
        })
    }

    /// Logs in, reads the canary and compares it. Returns the time at which it was written.
    ///
    /// # Errors
    /// The login is refused, or the secret is missing or differs.
    fn read(&self, client: &mut Client, canary: &Canary) -> Result<String, Failure> {
        let failed = |error: Error, hint: &str| {
            Failure::from(error)
                .context("restored and unsealed, but its canary was not read")
                .hint(hint)
        };
        let token = approle::login(client, &self.mount, &self.credentials).map_err(|error| {
            failed(
                error,
                "did the role exist when the snapshot was taken, and may it log in from 127.0.0.1?",
            )
        })?;
        client.authenticate(Authentication::Token(token));
        let secret = kv::read(client, &canary.mount, &canary.path).map_err(|error| {
            let hint = format!(
                "the role's policy must allow `read` on `{}/data/{}`",
                canary.mount, canary.path
            );
            failed(error, &hint)
        })?;
        let values = secret.values.unwrap_or_default();
        let value = |key: &str| values.get(key).map(SecretValue::to_bytes);
        let sha256 = value("value").map(|value| digest::sha256(&value));
        if sha256.as_ref() != Some(&canary.sha256) {
            return Err(Failure::failed(
                "the restored canary differs from the one written before the snapshot",
            ));
        }
        let written_at = value("written_at");
        let written_at = written_at.map(|time| String::from_utf8_lossy(&time).into_owned());
        Ok(written_at.unwrap_or_default())
    }
}

/// Writes the metrics; `drilled` is the time of the snapshot after a successful drill.
fn report_metrics(arguments: &Drill, started: Instant, drilled: Option<&Option<Timestamp>>) {
    let seconds = |timestamp: Timestamp| number(timestamp.seconds());
    let value = |known: Option<f64>| known.unwrap_or(f64::NAN);
    let now = seconds(Timestamp::now());
    write_metrics(
        arguments.metrics_file.as_deref(),
        &[
            (
                "vault_snapshot_drill_success",
                "Whether the last drill restored a snapshot and read what it should hold",
                flag(drilled.is_some()),
            ),
            (
                "vault_snapshot_drill_last_run_timestamp_seconds",
                "When the last drill ended",
                now,
            ),
            (
                "vault_snapshot_drill_last_success_timestamp_seconds",
                "When the last drill ended that succeeded",
                value(drilled.map(|_| now)),
            ),
            (
                "vault_snapshot_drill_snapshot_timestamp_seconds",
                "When the snapshot was taken that the last good drill restored",
                value(drilled.copied().flatten().map(seconds)),
            ),
            (
                "vault_snapshot_drill_duration_seconds",
                "How long the last drill took",
                started.elapsed().as_secs_f64(),
            ),
        ],
    );
}
