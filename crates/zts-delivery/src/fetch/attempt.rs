//! One query of a fetch, and the state before OpenBao is queried.

use crate::{
    CachedCopy, CopyAge, DeployedVersion, Error, OutputState, Proof,
    fetch::{copies::usable_copies, job::FetchJob, unstored_copy::UnstoredCopy},
};

/// The copies to roll back to, the first one that exists.
const ROLLBACK_COPIES: [Proof; 3] = [Proof::Proven, Proof::Replaced, Proof::Unproven];

/// One query of a fetch.
pub struct FetchAttempt<'a> {
    pub(crate) job: &'a FetchJob<'a>,
    /// The content of the output directory before the query.
    pub(crate) before: OutputState,
    /// The copies that may stand in for OpenBao, the newest first. Emptied by the first fall-back,
    /// so that a second one does not try them again.
    pub(crate) copies: Vec<(CachedCopy, CopyAge)>,
    /// The version of the proven copy.
    pub(crate) proven: Option<DeployedVersion>,
    /// The version of the copy to roll back to where nothing is deployed.
    pub(crate) rollback_version: Option<DeployedVersion>,
    /// Set where the copy of OpenBao's answer is stored later.
    pub(crate) stores_later: bool,
    pub(crate) unstored: Option<UnstoredCopy<'a>>,
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the answer of an overtaken attempt was not deployed"]
pub enum FetchOutcome {
    /// The secret is deployed; of one that is gone, the files and copies are removed.
    Done,
    /// Another run has changed the output directory meanwhile. Nothing was deployed.
    Overtaken,
}

impl<'a> FetchAttempt<'a> {
    /// Reads the copies and the state of the output directory.
    ///
    /// # Errors
    /// The system's errors of the notes beside the output directory.
    pub fn begin(job: &'a FetchJob<'a>) -> Result<Self, Error> {
        let before = OutputState::read(job.output)?;
        let copies = usable_copies(job)?;
        let version_of = |proof| {
            let mut copies = copies.iter().map(|(copy, _)| copy);
            let copy = copies.find(|copy| copy.proof == proof);
            copy.map(CachedCopy::to_deployed)
        };
        let proven = version_of(Proof::Proven);
        let rollback_version = ROLLBACK_COPIES.into_iter().find_map(version_of);
        Ok(Self {
            job,
            before,
            copies,
            proven,
            rollback_version,
            stores_later: false,
            unstored: None,
        })
    }

    /// Deploys without storing the copy of OpenBao's answer: see [`FetchAttempt::take_copy`].
    pub fn store_later(&mut self) {
        self.stores_later = true;
    }

    /// Returns the copy that is to be stored.
    pub fn take_copy(&mut self) -> Option<UnstoredCopy<'a>> {
        self.unstored.take()
    }

    /// Begins another query, without copies, because another run has deployed a version.
    pub(crate) fn begin_again(&mut self) -> Result<(), Error> {
        self.copies.clear();
        self.before = OutputState::read(self.job.output)?;
        Ok(())
    }

    /// Returns whether there is a copy that may stand in for OpenBao.
    pub fn has_copy(&self) -> bool {
        !self.copies.is_empty()
    }

    /// Returns the newest version that this host has: the deployed one, or that of a copy.
    ///
    /// # Errors
    /// The system's errors of the notes beside the output directory.
    pub fn newest_seen(&self) -> Result<Option<DeployedVersion>, Error> {
        let deployed = DeployedVersion::read(self.job.output)?;
        let deployed = deployed.filter(|version| version.secret == self.job.identity);
        let copies = self.copies.iter().map(|(copy, _)| copy.to_deployed());
        Ok(copies.chain(deployed).max_by_key(|version| version.version))
    }
}
