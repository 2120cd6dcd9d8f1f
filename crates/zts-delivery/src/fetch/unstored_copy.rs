//! Copies of OpenBao's answers, which are stored after the files.

use zts_openbao::{SecretValue, kv};

use crate::{
    DeployedVersion, Error, Proof, Rejection, StateDir, StoreResult,
    fetch::{copies::find_rejection, job::FetchJob},
};

/// The copy of a deployed version, which is not stored yet.
#[must_use = "a copy has to be stored"]
pub struct UnstoredCopy<'a> {
    pub(crate) job: &'a FetchJob<'a>,
    pub(crate) secret: kv::SecretVersion,
    pub(crate) version: DeployedVersion,
}

impl UnstoredCopy<'_> {
    /// Returns the number of bytes of the secret's values.
    pub fn size(&self) -> usize {
        let values = self.secret.values.iter().flat_map(|map| map.values());
        values.map(SecretValue::size).sum()
    }

    /// Stores the copy, unless another run has deployed, removed or rejected a version meanwhile.
    pub fn store(&self) {
        match self.open_if_deployed() {
            Ok(Some(state_dir)) => self.store_in(&state_dir),
            Ok(None) => {}
            Err(error) => self.warn_of_no_copy(&error),
        }
    }

    fn open_if_deployed(&self) -> Result<Option<StateDir>, Error> {
        let output = self.job.output;
        if !StateDir::exists(output)? {
            return Ok(None);
        }
        let state_dir = StateDir::open(output)?;
        let deployed = DeployedVersion::read(output)?;
        let is_deployed = deployed.is_some_and(|deployed| deployed.is_same(&self.version))
            && find_rejection(self.job, &self.secret.metadata)?.is_none();
        Ok(is_deployed.then_some(state_dir))
    }

    fn warn_of_no_copy(&self, error: &Error) {
        (self.job.warn)(format_args!(
            "`{}` was written, but no copy could be kept: {error}",
            self.job.path()
        ));
    }

    /// Stores the copy of the version that is deployed there.
    pub(crate) fn store_in(&self, state_dir: &StateDir) {
        let job = self.job;
        let proof = match state_dir.is_unproven() {
            Ok(true) => Proof::Unproven,
            Ok(false) => Proof::Proven,
            Err(error) => return self.warn_of_no_copy(&error),
        };
        if store_copy(job, &self.secret, proof) && proof == Proof::Proven {
            // an error only keeps the rejection of a version that is not deployed again
            let _ = Rejection::remove_until(job.cache_folder(), job.output, self.version.version);
        }
    }
}

/// Stores a copy if there is a cache. Returns whether that succeeded.
fn store_copy(job: &FetchJob<'_>, secret: &kv::SecretVersion, proof: Proof) -> bool {
    let name = job.path();
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
