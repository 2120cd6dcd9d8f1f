//! Deploys another version than a rejected one, if there is one.

use std::time::SystemTime;

use zts_openbao::kv::SecretVersion;

use crate::{
    CachedCopy, DeployedVersion, Error, Rejection, StateDir,
    fetch::{
        attempt::{FetchAttempt, FetchOutcome},
        copies::{files_of_copy, format_time},
        deploy::deploy_version,
        job::FetchJob,
    },
};

/// Deploys another version than `rejected`: a copy's that is not older than the deployed version.
/// Without such a copy, the deployed version stays. Where there is neither, deploys `rejected`,
/// because a service may do better with it than with nothing.
pub(crate) fn deploy_another(
    attempt: &FetchAttempt<'_>,
    rejected: &SecretVersion,
    rejection: &Rejection,
    copies: impl Iterator<Item = CachedCopy>,
) -> Result<FetchOutcome, Error> {
    let job = attempt.job;
    let deployed = deployed_version(job)?.filter(|version| *version != rejection.version);
    let mut copies = copies
        .filter(|copy| !copy.is_of(&rejected.metadata) && Some(copy.version) >= deployed)
        .filter_map(|copy| Some((copy.to_deployed(), files_of_copy(job, copy)?)));
    let (version, files, action) = match (copies.next(), deployed) {
        (Some((version, files)), _) => {
            let action = format!("version {} comes from the cache", version.version);
            (version, files, action)
        }
        (None, Some(version)) => {
            let action = format!("version {version} stays in place");
            warn_of_rejection(job, rejection, &action);
            return Ok(FetchOutcome::Done);
        }
        (None, None) => {
            let contents = &job.recipe.contents;
            let files = contents.render_answer(job.secret, rejected)?;
            let version = DeployedVersion::from_openbao(&job.identity, &rejected.metadata);
            let action = "it is written all the same, because there is no other";
            (version, files, action.to_owned())
        }
    };
    if deploy_version(attempt, &version, &files)?.is_none() {
        return Ok(FetchOutcome::Overtaken);
    }
    warn_of_rejection(job, rejection, &action);
    Ok(FetchOutcome::Done)
}

/// Returns the number of the version in the output directory, if it is of this secret.
fn deployed_version(job: &FetchJob<'_>) -> Result<Option<u64>, Error> {
    let output = job.output;
    if !StateDir::exists(output)? {
        return Ok(None);
    }
    StateDir::open(output)?.version_of(&job.identity)
}

fn warn_of_rejection(job: &FetchJob<'_>, rejection: &Rejection, action: &str) {
    let Rejection {
        version, reason, ..
    } = rejection;
    let age = SystemTime::now().duration_since(rejection.at);
    let age = format_time(age.unwrap_or_default());
    let reason: Vec<_> = reason.split_whitespace().collect();
    // the output directory is called as the secret is declared
    let name = job.output.file_name().unwrap_or_default();
    (job.warn)(format_args!(
        "version {version} of `{}` was rejected {age} ago: {}; {action}; \
         `vault-secrets rotate {} --again` tries version {version} again",
        job.path(),
        reason.join(" "),
        name.to_string_lossy()
    ));
}
