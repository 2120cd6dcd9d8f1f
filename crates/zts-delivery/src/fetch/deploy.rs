//! Deploys a version's files, and stores a copy of OpenBao's answer.

use zts_openbao::{SecretValue, kv};

use crate::{
    DeployedVersion, Error, Files, Proof, Rejection, StateDir, StoreResult, directory,
    fetch::{
        copies::find_rejection,
        job::{Attempt, FetchJob, Outcome},
    },
};

/// The copy of a deployed version, which is not stored yet.
#[must_use = "a copy has to be stored"]
pub struct UnstoredCopy<'a> {
    job: &'a FetchJob<'a>,
    secret: kv::Secret,
    version: DeployedVersion,
}

impl UnstoredCopy<'_> {
    /// Returns the number of bytes of the secret's values.
    pub fn size(&self) -> usize {
        let values = self.secret.values.iter().flat_map(|map| map.values());
        values.map(SecretValue::size).sum()
    }

    /// Stores the copy, unless another run has deployed, removed or rejected a version meanwhile.
    pub fn store(&self) {
        let job = self.job;
        if !StateDir::exists(job.output) {
            return;
        }
        match StateDir::open(job.output) {
            Ok(state_dir) if self.is_deployed(&state_dir) => self.store_in(&state_dir),
            Ok(_) => {}
            Err(error) => (job.warn)(format_args!(
                "`{}` was written, but no copy could be kept: {error}",
                job.path
            )),
        }
    }

    fn is_deployed(&self, state_dir: &StateDir) -> bool {
        let deployed = state_dir.deployed_version();
        self.job.output.is_dir()
            && deployed.is_some_and(|deployed| deployed.is_same(&self.version))
            && find_rejection(self.job, &self.secret.metadata).is_none()
    }

    fn store_in(&self, state_dir: &StateDir) {
        let job = self.job;
        let proof = if state_dir.is_unproven() {
            Proof::Unproven
        } else {
            Proof::Proven
        };
        if store_copy(job, &self.secret, proof) && proof == Proof::Proven {
            // an error only keeps the rejection of a version that is not deployed again
            let _ = Rejection::remove_until(job.cache_folder(), job.output, self.version.version);
        }
    }
}

/// Deploys the version that OpenBao returned. Keeps the copy of it in `attempt`, if that is to be
/// stored later, or stores it.
pub(crate) fn deploy_secret(
    attempt: &mut Attempt<'_>,
    secret: kv::Secret,
) -> Result<Outcome, Error> {
    let job = attempt.job;
    let contents = &job.recipe.contents;
    let files = contents.render_answer(job.kv_mount, job.path, &secret)?;
    let version = DeployedVersion::from_openbao(&job.identity, &secret.metadata);
    let Some(state_dir) = deploy_version(attempt, &version, &files)? else {
        return Ok(Outcome::Overtaken);
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
    let proven = attempt.proven.as_ref();
    let state_dir = StateDir::open(job.output)?;
    if state_dir.was_overtaken(version, &attempt.before) {
        return Ok(None);
    }
    state_dir.end_proven_rollout(proven)?;
    let is_proven = proven.is_some_and(|proven| proven.is_same(version));
    // a rollback is ended by the run that began it
    let is_unproven = state_dir.is_unproven();
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
            .deployed_version()
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

/// Stores a copy if there is a cache. Returns whether that succeeded.
fn store_copy(job: &FetchJob<'_>, secret: &kv::Secret, proof: Proof) -> bool {
    let name = job.path;
    let cache = job.recipe.cache.as_ref();
    match cache.map(|cache| cache.store(secret, proof)) {
        None | Some(Ok(StoreResult::AsConfigured)) => true,
        Some(Ok(StoreResult::Unsealed(cause))) => {
            (job.warn)(format_args!(
                "`{name}` was written, and its copy is kept unsealed: {cause}"
            ));
            true
        }
        Some(Err(error)) => {
            (job.warn)(format_args!(
                "`{name}` was written, but no copy could be kept: {error}"
            ));
            false
        }
    }
}
