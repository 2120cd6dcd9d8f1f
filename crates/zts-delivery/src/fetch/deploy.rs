//! Deploys a version's files.

use zts_openbao::kv;

use crate::{
    DeployedVersion, Error, Files, StateDir, directory,
    fetch::{
        attempt::{FetchAttempt, FetchOutcome},
        unstored_copy::UnstoredCopy,
    },
};

/// Deploys the version that OpenBao returned. Keeps the copy of it in `attempt`, if that is to be
/// stored later, or stores it.
pub(crate) fn deploy_secret(
    attempt: &mut FetchAttempt<'_>,
    secret: kv::SecretVersion,
) -> Result<FetchOutcome, Error> {
    let job = attempt.job;
    let contents = &job.recipe.contents;
    let files = contents.render_answer(job.secret, &secret)?;
    let version = DeployedVersion::from_openbao(&job.identity, &secret.metadata);
    let Some(state_dir) = deploy_version(attempt, &version, &files)? else {
        return Ok(FetchOutcome::Overtaken);
    };
    let copy = UnstoredCopy {
        job,
        secret,
        version,
    };
    if attempt.stores_later {
        attempt.unstored = Some(copy);
    } else {
        copy.store_in(&state_dir);
    }
    Ok(FetchOutcome::Done)
}

/// Deploys a version's files and returns the locked state directory. Returns `None` where another
/// run has changed the output directory since the query. A version other than the proven one that
/// services use is unproven from now on.
pub(crate) fn deploy_version(
    attempt: &FetchAttempt<'_>,
    version: &DeployedVersion,
    files: &Files,
) -> Result<Option<StateDir>, Error> {
    let job = attempt.job;
    let proven = attempt.proven.as_ref();
    let state_dir = StateDir::open(job.output)?;
    if state_dir.was_overtaken(version, &attempt.before)? {
        return Ok(None);
    }
    state_dir.end_proven_rollout(proven)?;
    let is_proven = proven.is_some_and(|proven| proven.is_same(version));
    // a rollback is ended by the run that began it
    let is_unproven = state_dir.is_unproven()?;
    if directory::is_deployed(&state_dir, files, job.recipe.ownership) {
        state_dir.discard_new_set(); // of a killed run
        if is_proven && is_unproven {
            state_dir.end_rollout()?;
        }
        state_dir.renumber(version)?;
        return Ok(Some(state_dir));
    }
    let was_altered = job.output.is_dir()
        && state_dir
            .deployed_version()?
            .is_some_and(|deployed| deployed.is_same(version));
    if was_altered || is_proven || !job.has_services {
        directory::deploy(&state_dir, files, job.recipe.ownership, Some(version))?;
        if is_unproven && !was_altered {
            state_dir.end_rollout()?;
        }
    } else {
        state_dir.stage(files, job.recipe.ownership)?;
        state_dir.begin_rollout(version, attempt.rollback_version.clone())?;
    }
    Ok(Some(state_dir))
}
