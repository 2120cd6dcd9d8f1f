//! The download of a snapshot from the active node: verified and encrypted on its way to the disk,
//! and repeated until it is intact.

use std::{
    io::{self, ErrorKind, Read},
    path::Path,
    time::Duration,
};

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use zts_cli::{Failure, Progress, note, warn};
use zts_openbao::{Error, Settings, kv, snapshot};

use crate::{
    archive::{CopyError, Inspection, RaftPosition, verify_and_copy},
    cli::Save,
    cluster::{ActiveNode, AttemptFailure, connect_active_node},
    description::{Canary, Description, name_stem},
    digest::{self, DigestStream},
    encryption::{ArchiveWriter, Recipients},
    login::Login,
    store::{Backends, DirectoryLocks, Draft, create_draft_file},
    timestamp::Timestamp,
};

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// The inputs of a download.
pub(super) struct Download<'a> {
    pub(super) arguments: &'a Save,
    pub(super) settings: &'a Settings,
    pub(super) login: &'a Login,
    pub(super) recipients: &'a Recipients,
    /// The folder for the draft.
    pub(super) work: &'a Path,
    pub(super) backends: &'a Backends,
    pub(super) locks: &'a mut DirectoryLocks,
}

/// The result of writing the canary.
enum CanaryOutcome {
    Written(Canary),
    /// OpenBao refused it, for this reason.
    Refused(String),
}

impl Download<'_> {
    /// Downloads an intact snapshot, in as many attempts as the retry timeout allows.
    ///
    /// # Errors
    /// The failure of the last attempt.
    pub(super) fn run(&mut self) -> Result<(Draft, Description), Failure> {
        let until = zts_net::deadline_in(self.arguments.retry_timeout);
        let mut last_failure: Option<String> = None;
        let downloaded = zts_net::retry_until(
            until,
            PAUSES,
            |attempt: &AttemptFailure| attempt.is_transient,
            || {
                if let Some(failure) = last_failure.take() {
                    note(format_args!("{failure}; trying again"));
                }
                self.attempt().inspect_err(|attempt| {
                    last_failure = Some(attempt.failure.message().to_owned());
                })
            },
        );
        downloaded.map_err(|attempt| attempt.failure)
    }

    fn attempt(&mut self) -> Result<(Draft, Description), AttemptFailure> {
        let mut node = connect_active_node(self.settings)?;
        self.login.log_in(&mut node.client)?;
        let downloaded = self.download_from(&node);
        self.login.log_out(&node.client);
        downloaded
    }

    fn download_from(&mut self, node: &ActiveNode) -> Result<(Draft, Description), AttemptFailure> {
        let taken_at = unused_timestamp(self.locks, self.backends, &node.cluster_name)?;
        let canary = self.arguments.canary.as_ref();
        let canary = canary.map(|(mount, path)| write_canary(node, mount, path, taken_at));
        let (canary, without_canary) = match canary.transpose()? {
            Some(CanaryOutcome::Written(canary)) => (Some(canary), None),
            Some(CanaryOutcome::Refused(why)) => (None, Some(why)),
            None => (None, None),
        };
        let archive =
            snapshot::save(&node.client, self.arguments.idle_timeout).map_err(save_failure)?;
        let progress = Progress::begin_bytes(
            format_args!("downloading a snapshot of {}", node.cluster_name),
            None,
        );
        let draft = write_draft(progress.reader(archive), self.recipients, self.work)?;
        drop(progress);
        let description = Description {
            format: Description::FORMAT,
            cluster_name: node.cluster_name.clone(),
            cluster_id: node.cluster_id.clone(),
            openbao_version: node.version.clone(),
            taken_at,
            raft_index: draft.position.index,
            raft_term: draft.position.term,
            size: draft.stored.size,
            sha256: draft.stored.sha256.clone(),
            archive_size: draft.archive.size,
            archive_sha256: draft.archive.sha256.clone(),
            encrypted_to: self.recipients.to_texts(),
            canary,
            without_canary,
            signature: None,
        };
        Ok((draft, description))
    }
}

/// Returns a time that no snapshot of this cluster has: names have whole seconds, and no snapshot
/// is replaced.
fn unused_timestamp(
    locks: &mut DirectoryLocks,
    backends: &Backends,
    cluster: &str,
) -> Result<Timestamp, AttemptFailure> {
    for _ in 0..5 {
        let timestamp = locks.unique_timestamp().map_err(|cause| {
            AttemptFailure::permanent(Failure::failed(format!(
                "a lock file could not be written: {cause}"
            )))
        })?;
        let stem = name_stem(cluster, timestamp);
        if !backends.all.iter().any(|backend| backend.has_stem(&stem)) {
            return Ok(timestamp);
        }
    }
    Err(AttemptFailure::permanent(Failure::failed(
        "each second already has a snapshot: is the clock right?",
    )))
}

/// Writes a random secret. Where OpenBao refuses it, the snapshot is taken without it, with a
/// warning.
fn write_canary(
    node: &ActiveNode,
    mount: &str,
    path: &str,
    taken_at: Timestamp,
) -> Result<CanaryOutcome, AttemptFailure> {
    let mut random = [0_u8; 32];
    SystemRandom::new().fill(&mut random).map_err(|_| {
        AttemptFailure::permanent(Failure::failed("the system returns no random numbers"))
    })?;
    let value = digest::hex(&random);
    let secret = json!({ "value": value, "written_at": taken_at });
    match kv::write(&node.client, mount, path, &secret) {
        Ok(()) => Ok(CanaryOutcome::Written(Canary {
            mount: mount.to_owned(),
            path: path.to_owned(),
            sha256: digest::sha256(value.as_bytes()),
        })),
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            let hint = if matches!(error, Error::Denied { .. }) {
                "the policy must allow `create` and `update`"
            } else {
                "the mount must be KV version 2"
            };
            let why: String = Failure::from(error).message().chars().take(300).collect();
            warn(format_args!(
                "the snapshot is saved without its canary, and a drill can read no secret from it: {why} ({hint} on `{mount}/data/{path}`)"
            ));
            Ok(CanaryOutcome::Refused(why))
        }
    }
}

fn save_failure(error: Error) -> AttemptFailure {
    let hint = match &error {
        Error::Denied { .. } => Some(format!(
            "the policy must allow `read` on `{}`",
            snapshot::PATH
        )),
        Error::Refused { .. } => {
            Some("snapshots need raft storage: is it in use there?".to_owned())
        }
        _ => None,
    };
    let mut attempt = AttemptFailure::from(error);
    if let Some(hint) = hint {
        attempt.failure = attempt.failure.hint(hint);
    }
    attempt
}

/// Verifies the archive while it arrives, and writes it to a draft in `work`, encrypted where there
/// are recipients.
///
/// # Errors
/// The archive is damaged or ends too early, which is transient, or `work` cannot be written to.
fn write_draft(
    archive: impl Read,
    recipients: &Recipients,
    work: &Path,
) -> Result<Draft, AttemptFailure> {
    let write_failure = |cause: &io::Error| {
        AttemptFailure::permanent(Failure::failed(format!(
            "the snapshot could not be written to `{}`: {cause}",
            work.display()
        )))
    };
    let failed = |cause: io::Error| write_failure(&cause);
    zts_secure_fs::check_path(work, zts_secure_fs::Guard::Links)
        .map_err(|cause| failed(cause.into()))?;
    let file = create_draft_file(work).map_err(failed)?;
    let mut writer = ArchiveWriter::new(file.as_file(), recipients).map_err(failed)?;
    let mut archive = DigestStream::new(archive);
    let inspection = verify_and_copy(&mut archive, &mut writer).map_err(failed)?;
    let position = require_intact(inspection, write_failure)?;
    let (_, archive) = archive.finish();
    let stored = writer.finish().map_err(failed)?;
    let stored = stored.unwrap_or_else(|| archive.clone());
    Draft::new(file, position, archive, stored).map_err(failed)
}

fn require_intact(
    inspection: Inspection,
    write_failure: impl FnOnce(&io::Error) -> AttemptFailure,
) -> Result<RaftPosition, AttemptFailure> {
    let damaged = |why: String| Err(AttemptFailure::transient(Failure::failed(why)));
    match (inspection.archive, inspection.copy_error) {
        (_, Some(CopyError::Write(cause))) => Err(write_failure(&cause)),
        (_, Some(CopyError::Read(cause))) => {
            damaged(format!("OpenBao's snapshot ends too early: {cause}"))
        }
        (Err(cause), None) if cause.kind() == ErrorKind::UnexpectedEof => {
            damaged("OpenBao's snapshot is damaged: it ends too early".to_owned())
        }
        (Err(cause), None) => damaged(format!("OpenBao's snapshot is damaged: {cause}")),
        (Ok(position), None) => Ok(position),
    }
}
