//! Copies, rejections and removal of secrets.

use std::time::SystemTime;

use zts_cli::{Failure, warn};
use zts_delivery::{
    DeployedVersion, Error, PendingRollout, Proof, Rejection, RolloutStage, Source, StateDir,
    StoreResult,
};
use zts_openbao::kv;

use crate::{host::HostSecret, text};

/// Stores a copy for the time when OpenBao is unavailable. The copy of an unproven version lies
/// beside the proven one. A proven version ends the rejection of an earlier one.
pub(super) fn keep(secret: &HostSecret<'_>, given: &kv::SecretVersion) {
    let name = secret.name;
    let rollout = match PendingRollout::read(&secret.declared.output_directory) {
        Ok(rollout) => rollout,
        Err(error) => return warn_of_no_copy(name, &error),
    };
    let is_unproven = rollout.is_some_and(|rollout| {
        rollout.stage == RolloutStage::Unproven
            && rollout.new.is_of(&secret.identity, &given.metadata)
    });
    let proof = if is_unproven {
        Proof::Unproven
    } else {
        Proof::Proven
    };
    let Ok(recipe) = secret.recipe() else {
        return; // reported when the version was deployed
    };
    match recipe.cache.map(|cache| cache.store(given, proof)) {
        None | Some(Ok(StoreResult::AsConfigured)) => {}
        Some(Ok(StoreResult::Unsealed(cause))) => {
            warn(format_args!(
                "the copy of `{name}` is kept unsealed: {cause}"
            ));
        }
        Some(Err(error)) => {
            return warn_of_no_copy(name, &error);
        }
    }
    if proof == Proof::Proven {
        forget_rejection_until(secret, given.metadata.version);
    }
}

fn warn_of_no_copy(name: &str, error: &Error) {
    warn(format_args!(
        "no copy of `{name}` could be kept for the time when OpenBao is unavailable: {error}"
    ));
}

/// Records OpenBao as the source of a deployed version that came from the cache and is OpenBao's
/// newest.
pub(super) fn confirm_source(secret: &HostSecret<'_>) {
    let output = &secret.declared.output_directory;
    let is_cached = |deployed: &DeployedVersion| {
        deployed.source == Source::Cache && deployed.secret == secret.identity
    };
    let Ok(Some(cached)) = DeployedVersion::read(output).map(|found| found.filter(is_cached))
    else {
        return; // only `status` shows it
    };
    let Ok(state_dir) = StateDir::open(output) else {
        return; // reported by the next write
    };
    if matches!(state_dir.deployed_version(), Ok(Some(now)) if now == cached) {
        let _ = state_dir.record_version(&DeployedVersion {
            source: Source::OpenBao,
            ..cached
        }); // only `status` shows it
    }
}

/// Records that a version must not be deployed.
pub(super) fn reject_version(
    secret: &HostSecret<'_>,
    version: u64,
    created_time: Option<String>,
    reason: &str,
) -> Result<(), Error> {
    let rejection = Rejection {
        version,
        created_time,
        reason: text::one_line(reason),
        at: SystemTime::now(),
    };
    let declared = secret.declared;
    rejection.record(
        declared.cache_directory.as_deref(),
        &declared.output_directory,
    )
}

/// Forgets the rejection of this version or of an earlier one. Earlier versions are not deployed
/// again.
pub(super) fn forget_rejection_until(secret: &HostSecret<'_>, version: u64) {
    let declared = secret.declared;
    let cache = declared.cache_directory.as_deref();
    let _ = Rejection::remove_until(cache, &declared.output_directory, version);
}

/// Returns the failure to report for a version that was rejected before.
pub(super) fn still_rejected(name: &str, rejection: &Rejection) -> Failure {
    let Rejection {
        version,
        reason,
        at,
        ..
    } = rejection;
    Failure::failed(format!(
        "version {version} is not used, it was rejected {} ago: {reason}",
        text::ago(*at)
    ))
    .hint(again_hint(name))
    .page("runbook/VaultVersionRejected.md")
}

/// Returns the hint of a failure because of a rejected version.
pub(super) fn again_hint(name: &str) -> String {
    format!(
        "write a version that is good; `vault-secrets rotate {name} --again` tries this one once more"
    )
}
