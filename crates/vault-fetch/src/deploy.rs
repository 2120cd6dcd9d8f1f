//! Deploys a version's files, and stores a copy of OpenBao's answer.

use zts_cli::warn;
use zts_delivery::{
    DeployedVersion, Error, Files, OutputState, Proof, Rejection, StateDir, StoreResult, directory,
};
use zts_openbao::kv;

use crate::job::Job;

/// One query of a fetch.
pub(crate) struct Attempt<'a> {
    pub(crate) job: &'a Job,
    /// The content of the output directory before the query.
    pub(crate) before: OutputState,
    /// The version of the proven copy.
    pub(crate) proven: Option<&'a DeployedVersion>,
    /// The version of the copy to roll back to where nothing is deployed.
    pub(crate) rollback_version: Option<&'a DeployedVersion>,
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the answer of an overtaken attempt was not deployed"]
pub(crate) enum Outcome {
    /// The secret is deployed.
    Done,
    /// Another run has changed the output directory meanwhile. Nothing was deployed.
    Overtaken,
}

/// Deploys the version that OpenBao returned, and stores a copy of it.
pub(crate) fn deploy_secret(attempt: &Attempt<'_>, secret: &kv::Secret) -> Result<Outcome, Error> {
    let job = attempt.job;
    let (mount, path) = (&job.arguments.kv_mount, &job.arguments.secret);
    let files = job
        .contents
        .render_answer(mount.as_str(), path.as_str(), secret)?;
    let version = DeployedVersion::from_openbao(&job.identity, &secret.metadata);
    let Some(state_dir) = deploy_version(attempt, &version, &files)? else {
        return Ok(Outcome::Overtaken);
    };
    let proof = if state_dir.is_unproven() {
        Proof::Unproven
    } else {
        Proof::Proven
    };
    if store_copy(job, secret, proof) && proof == Proof::Proven {
        let (cache, output) = (job.arguments.cache_dir.as_deref(), &job.arguments.output);
        // an error only keeps the rejection of a version that is not deployed again
        let _ = Rejection::remove_until(cache, output, version.version);
    }
    Ok(Outcome::Done)
}

/// Deploys a version's files and returns the locked state directory. Returns `None` where another
/// run has changed the output directory since the query. A version other than the proven one that
/// services use is unproven from now on.
pub(crate) fn deploy_version(
    attempt: &Attempt<'_>,
    version: &DeployedVersion,
    files: &Files,
) -> Result<Option<StateDir>, Error> {
    let job = attempt.job;
    let proven = attempt.proven;
    let state_dir = StateDir::open(&job.arguments.output)?;
    if state_dir.was_overtaken(version, &attempt.before) {
        return Ok(None);
    }
    state_dir.end_proven_rollout(proven)?;
    let is_proven = proven.is_some_and(|proven| proven.is_same(version));
    // a rollback is ended by the run that began it
    let is_unproven = state_dir.is_unproven();
    if directory::is_deployed(&state_dir, files, job.ownership) {
        state_dir.discard_new_set(); // of a killed run
        if is_proven && is_unproven {
            state_dir.end_rollout()?;
        }
        state_dir.renumber(version)?;
        return Ok(Some(state_dir));
    }
    let was_altered = job.arguments.output.is_dir()
        && state_dir
            .deployed_version()
            .is_some_and(|deployed| deployed.is_same(version));
    if was_altered || is_proven || job.arguments.service.is_empty() {
        directory::deploy(&state_dir, files, job.ownership, Some(version))?;
        if is_unproven && !was_altered {
            state_dir.end_rollout()?;
        }
    } else {
        state_dir.stage(files, job.ownership)?;
        state_dir.begin_rollout(version, attempt.rollback_version.cloned())?;
    }
    Ok(Some(state_dir))
}

/// Stores a copy if there is a cache. Returns whether that succeeded.
fn store_copy(job: &Job, secret: &kv::Secret, proof: Proof) -> bool {
    let name = &job.arguments.secret;
    match job.cache.as_ref().map(|cache| cache.store(secret, proof)) {
        None | Some(Ok(StoreResult::AsConfigured)) => true,
        Some(Ok(StoreResult::Unsealed(cause))) => {
            warn(format_args!(
                "`{name}` was written, and its copy is kept unsealed: {cause}"
            ));
            true
        }
        Some(Err(error)) => {
            warn(format_args!(
                "`{name}` was written, but no copy could be kept: {error}"
            ));
            false
        }
    }
}
