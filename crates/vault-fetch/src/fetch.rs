//! A fetch from end to end: query OpenBao, then deploy its version, fall back to a copy, or remove
//! the files of a secret that is gone.

use std::{mem, path::Path};

use zts_cli::{Failure, warn};
use zts_delivery::{
    CachedCopy, CopyAge, DeployedVersion, Error, Failures, OutputState, Proof, QueryError, Removal,
    Session, credentials, remove_secret,
};
use zts_openbao::{AppRoleCredentials, kv};

use crate::{
    Arguments,
    copies::{confirmed, files_of_copy, find_rejection, usable_copies, warn_of_old_copy},
    deploy::{Attempt, Outcome, deploy_secret, deploy_version},
    job::{Job, read_contents},
    rejected::deploy_another,
    undeclared::FetchPlaces,
};

/// The most queries of one run. Another one follows where another run has deployed a version
/// meanwhile.
const ATTEMPTS: usize = 5;

/// The copies to roll back to, the first one that exists.
const ROLLBACK_COPIES: [Proof; 3] = [Proof::Proven, Proof::Replaced, Proof::Unproven];

/// Runs the program.
///
/// # Errors
/// The failure to report where the secret was not written; see [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = arguments.connection.settings(None)?;
    let secret = arguments.secret.clone();
    let failed = |failure: Failure| failure.context(format!("`{secret}` was not written"));
    let contents = read_contents(&arguments).map_err(failed)?;
    let output = arguments.output.clone();
    let has_cache = arguments.cache_dir.is_some();
    let places = FetchPlaces::begin(&arguments);
    let result = Job::new(arguments, contents, settings).and_then(|job| fetch(&job));
    Failures::record(&output, result.as_ref().err());
    let fetched = result.map_err(|error| failed(explain(error, has_cache, &output)));
    places.remove_undeclared(fetched)
}

/// Adds a hint to an error without a copy, where the fetch had no `--cache-dir`. A person who
/// writes to `/run`, which a reboot empties, may not know of it.
fn explain(error: Error, has_cache: bool, output: &Path) -> Failure {
    let lacks_cache = matches!(error, Error::NoCache { .. }) && !has_cache;
    let failure = Failure::from(error);
    let name = output.file_name().filter(|_| output.starts_with("/run"));
    let (true, Some(name)) = (lacks_cache, name) else {
        return failure;
    };
    let folder = Path::new("/var/lib/vault/cache").join(name);
    let cache = format!(
        "`--cache-dir {}` uses the copy that is kept there, and keeps one",
        folder.display()
    );
    let hint = failure.hint_text().map(|hint| format!("{hint}; {cache}"));
    failure.hint(hint.unwrap_or(cache))
}

/// Fetches the secret, again where another run overtakes this one. Which of two answers is newer
/// only OpenBao can tell.
fn fetch(job: &Job) -> Result<(), Error> {
    let credentials = credentials::read(&job.arguments.approle_dir)?;
    let mut copies = usable_copies(job);
    let version_of = |proof| {
        let mut copies = copies.iter().map(|(copy, _)| copy);
        let copy = copies.find(|copy| copy.proof == proof);
        copy.map(CachedCopy::to_deployed)
    };
    let proven = version_of(Proof::Proven);
    let rollback_version = ROLLBACK_COPIES.into_iter().find_map(version_of);
    for number in 0..ATTEMPTS {
        let query = Attempt {
            job,
            proven: proven.as_ref(),
            rollback_version: rollback_version.as_ref(),
            before: OutputState::read(&job.arguments.output),
        };
        match attempt(&query, &credentials, mem::take(&mut copies)) {
            Ok(Outcome::Overtaken) => {}
            Ok(Outcome::Done) => return Ok(()),
            // the answer of the other run came after this run began
            Err(Error::NoCache { .. }) if number > 0 && job.arguments.output.is_dir() => {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(()) // each time, another run had a newer answer
}

/// Queries OpenBao once and deploys the answer. `copies` may stand in for it, the newest first.
fn attempt(
    attempt: &Attempt<'_>,
    credentials: &AppRoleCredentials,
    copies: Vec<(CachedCopy, CopyAge)>,
) -> Result<Outcome, Error> {
    let job = attempt.job;
    let path = job.arguments.secret.as_str();
    let seen = newest_seen(job, &copies);
    let mut session = job.open_session(credentials, !copies.is_empty())?;
    let mut answer = session.read(path, seen.as_ref());
    let mut copies = copies.into_iter();
    if let Err(QueryError::Unavailable(cause)) = &answer
        && copies.len() > 0
    {
        if let Some(outcome) = fall_back(attempt, cause, &mut copies)? {
            return Ok(outcome);
        }
        session = job.open_session(credentials, false)?; // with the time of a fetch without a copy
        answer = session.read(path, seen.as_ref());
    }
    match answer {
        Ok(secret) => {
            let outcome = match find_rejection(job, &secret.metadata) {
                None => deploy_secret(attempt, &secret)?,
                Some(rejection) => {
                    let copies = copies.map(|(copy, _)| copy);
                    deploy_another(attempt, &secret, &rejection, copies)?
                }
            };
            if outcome == Outcome::Done {
                warn_without_leader(job, &mut session, &secret);
            }
            Ok(outcome)
        }
        Err(QueryError::Unavailable(cause)) => {
            warn_of_old_copy(job);
            Err(Error::NoCache { cause })
        }
        Err(QueryError::Gone(cause)) => match remove_gone_secret(attempt) {
            Outcome::Overtaken => Ok(Outcome::Overtaken),
            Outcome::Done => Err(cause.into()),
        },
        Err(QueryError::Other(cause)) => Err(cause.into()),
    }
}

/// Returns the newest version that this host has: the deployed one, or that of a copy.
fn newest_seen(job: &Job, copies: &[(CachedCopy, CopyAge)]) -> Option<DeployedVersion> {
    let deployed = DeployedVersion::read(&job.arguments.output);
    let deployed = deployed.filter(|version| version.secret == job.identity);
    let copies = copies.iter().map(|(copy, _)| copy.to_deployed());
    copies.chain(deployed).max_by_key(|version| version.version)
}

/// Deploys the first copy that can be used. `None` where there is none.
fn fall_back(
    attempt: &Attempt<'_>,
    cause: &zts_openbao::Error,
    copies: &mut impl Iterator<Item = (CachedCopy, CopyAge)>,
) -> Result<Option<Outcome>, Error> {
    let job = attempt.job;
    for (copy, age) in copies {
        let version = copy.to_deployed();
        let Some(files) = files_of_copy(job, copy) else {
            continue;
        };
        if deploy_version(attempt, &version, &files)?.is_some() {
            warn(format_args!(
                "{cause}; `{}` comes from the cache: version {}, confirmed {}",
                job.arguments.secret,
                version.version,
                confirmed(age)
            ));
            return Ok(Some(Outcome::Done));
        }
        // another run has an answer of OpenBao's, which is better than a copy, or has removed the
        // secret
        return Ok(Some(if job.arguments.output.is_dir() {
            Outcome::Done
        } else {
            Outcome::Overtaken
        }));
    }
    Ok(None)
}

/// Warns where the server has no leader: its answer is only the newest version that it has.
fn warn_without_leader(job: &Job, session: &mut Session<'_>, secret: &kv::Secret) {
    if let Some(missing_leader) = session.find_missing_leader() {
        let (name, version) = (&job.arguments.secret, secret.metadata.version);
        warn(format_args!(
            "{missing_leader}: there may be newer versions of `{name}` than {version}"
        ));
    }
}

/// Removes the files and copies of a secret that is gone from OpenBao.
fn remove_gone_secret(attempt: &Attempt<'_>) -> Outcome {
    let Job {
        arguments,
        cache,
        identity,
        ..
    } = attempt.job;
    match remove_secret(&arguments.output, cache.as_ref(), identity, &attempt.before) {
        Ok(Removal::Done) => Outcome::Done,
        Ok(Removal::Overtaken) => Outcome::Overtaken,
        Err(error) => {
            warn(format_args!(
                "what is left of the secret could not be removed: {error}"
            ));
            Outcome::Done
        }
    }
}
