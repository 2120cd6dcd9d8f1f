//! A fetch from end to end: query OpenBao, then deploy its version, fall back to a copy, or remove
//! the files of a secret that is gone.

mod attempt;
mod copies;
mod deploy;
mod job;
mod rejected;
mod unstored_copy;

pub use self::{
    attempt::{FetchAttempt, FetchOutcome},
    job::FetchJob,
    unstored_copy::UnstoredCopy,
};

use std::mem;

use zts_openbao::kv;

use self::{
    copies::{confirmed, files_of_copy, find_rejection, format_time, warn_of_unused_copy},
    deploy::{deploy_secret, deploy_version},
    rejected::deploy_another,
};
use crate::{Error, MissingLeader, QueryError, Removal, Session, remove_secret};

/// The most queries of one run. Another one follows where another run has deployed a version
/// meanwhile.
const ATTEMPTS: usize = 5;

/// Fetches the secret, again where another run overtakes this one. Which of two answers is newer
/// only OpenBao can tell. `open_session` gets whether there is a copy to fall back to.
///
/// # Errors
/// The secret was not written.
pub fn fetch<'a>(
    job: &FetchJob<'_>,
    open_session: impl Fn(bool) -> Result<Session<'a>, QueryError>,
) -> Result<(), Error> {
    let mut attempt = FetchAttempt::begin(job)?;
    for number in 0..ATTEMPTS {
        match query_and_deploy(&mut attempt, &open_session) {
            Ok(FetchOutcome::Overtaken) => attempt.begin_again()?,
            Ok(FetchOutcome::Done) => return Ok(()),
            // the answer of the other run came after this run began
            Err(Error::NoCache { .. }) if number > 0 && job.output.is_dir() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(()) // each time, another run had a newer answer
}

/// Queries OpenBao once and deploys the answer, or a copy in its place.
fn query_and_deploy<'a>(
    attempt: &mut FetchAttempt<'_>,
    open_session: impl Fn(bool) -> Result<Session<'a>, QueryError>,
) -> Result<FetchOutcome, Error> {
    let seen = attempt.newest_seen()?;
    let mut session = open_session(attempt.has_copy())?;
    let mut answer = session.read(attempt.job.secret, attempt.job.host_state(seen.as_ref()));
    if let Err(QueryError::Unavailable(cause)) = &answer
        && attempt.has_copy()
    {
        if let Some(outcome) = fall_back(attempt, cause)? {
            return Ok(outcome);
        }
        session = open_session(false)?; // with the time of a fetch without a copy
        answer = session.read(attempt.job.secret, attempt.job.host_state(seen.as_ref()));
    }
    let version = answer.as_ref().map(|secret| secret.metadata.version);
    let version = version.unwrap_or_default();
    let outcome = attempt.deploy_answer(answer)?;
    if outcome == FetchOutcome::Done
        && let Some(missing_leader) = session.find_missing_leader()
    {
        warn_of_missing_leader(attempt.job, &missing_leader, version);
    }
    Ok(outcome)
}

/// Warns that the server has no leader: its answer is only the newest version that it has.
fn warn_of_missing_leader(job: &FetchJob<'_>, missing_leader: &MissingLeader, version: u64) {
    (job.warn)(format_args!(
        "{missing_leader}: there may be newer versions of `{}` than {version}",
        job.path()
    ));
}

impl FetchAttempt<'_> {
    /// Deploys OpenBao's answer, or a copy where OpenBao cannot be used. Removes the files and
    /// copies of a secret that is gone.
    ///
    /// # Errors
    /// The secret was not written. [`Error::NoCache`] where OpenBao cannot be used and no copy may
    /// stand in.
    pub fn deploy_answer(
        &mut self,
        answer: Result<kv::SecretVersion, QueryError>,
    ) -> Result<FetchOutcome, Error> {
        match answer {
            Ok(secret) => match find_rejection(self.job, &secret.metadata)? {
                None => deploy_secret(self, secret),
                Some(rejection) => {
                    let copies = mem::take(&mut self.copies).into_iter();
                    let copies = copies.map(|(copy, _)| copy);
                    deploy_another(self, &secret, &rejection, copies)
                }
            },
            Err(QueryError::Unavailable(cause)) => {
                if let Some(outcome) = fall_back(self, &cause)? {
                    return Ok(outcome);
                }
                warn_of_unused_copy(self.job);
                Err(Error::NoCache { cause })
            }
            Err(QueryError::Gone(cause)) => match remove_gone_secret(self) {
                FetchOutcome::Overtaken => Ok(FetchOutcome::Overtaken),
                FetchOutcome::Done => Err(cause.into()),
            },
            Err(QueryError::Other(cause)) => deploy_valid_certificate(self, cause),
        }
    }
}

/// Deploys the host's certificate, with a warning, where OpenBao refuses another one and that has
/// not expired.
fn deploy_valid_certificate(
    attempt: &mut FetchAttempt<'_>,
    error: zts_openbao::Error,
) -> Result<FetchOutcome, Error> {
    let job = attempt.job;
    let Some((version, left)) = job.host_state(None).valid_certificate(job.secret) else {
        return Err(error.into());
    };
    (job.warn)(format_args!(
        "{error}; the certificate stays, and expires in {}",
        format_time(left)
    ));
    deploy_secret(attempt, version)
}

/// Deploys the first copy that can be used. `None` where there is none.
fn fall_back(
    attempt: &mut FetchAttempt<'_>,
    cause: &zts_openbao::Error,
) -> Result<Option<FetchOutcome>, Error> {
    let job = attempt.job;
    for (copy, age) in mem::take(&mut attempt.copies) {
        let version = copy.to_deployed();
        let Some(files) = files_of_copy(job, copy) else {
            continue;
        };
        if deploy_version(attempt, &version, &files)?.is_some() {
            (job.warn)(format_args!(
                "{cause}; `{}` comes from the cache: version {}, confirmed {}",
                job.path(),
                version.version,
                confirmed(age)
            ));
            return Ok(Some(FetchOutcome::Done));
        }
        // another run has an answer of OpenBao's, which is better than a copy, or has removed the
        // secret
        return Ok(Some(if job.output.is_dir() {
            FetchOutcome::Done
        } else {
            FetchOutcome::Overtaken
        }));
    }
    Ok(None)
}

/// Removes the files and copies of a secret that is gone from OpenBao.
fn remove_gone_secret(attempt: &FetchAttempt<'_>) -> FetchOutcome {
    let job = attempt.job;
    let cache = job.recipe.cache.as_ref();
    match remove_secret(job.output, cache, &job.identity, &attempt.before) {
        Ok(Removal::Done) => FetchOutcome::Done,
        Ok(Removal::Overtaken) => FetchOutcome::Overtaken,
        Err(error) => {
            (job.warn)(format_args!(
                "what is left of the secret could not be removed: {error}"
            ));
            FetchOutcome::Done
        }
    }
}
