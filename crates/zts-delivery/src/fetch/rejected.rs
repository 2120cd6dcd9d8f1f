//! Deploys another version than a rejected one, if there is one.

use std::{fmt, time::SystemTime};

use zts_openbao::kv::Secret;

use crate::{
    CachedCopy, DeployedVersion, Error, Rejection, StateDir,
    fetch::{
        attempt::{Attempt, Outcome},
        copies::{files_of_copy, format_time},
        deploy::deploy_version,
        job::FetchJob,
    },
};

/// Deploys another version than `rejected`: a copy's that is not older than the deployed version.
/// Without such a copy, the deployed version stays. Where there is neither, deploys `rejected`,
/// because a service may do better with it than with nothing.
pub(crate) fn deploy_another(
    attempt: &Attempt<'_>,
    rejected: &Secret,
    rejection: &Rejection,
    copies: impl Iterator<Item = CachedCopy>,
) -> Result<Outcome, Error> {
    let job = attempt.job;
    let deployed = deployed_version(job)?.filter(|version| *version != rejection.version);
    let copies =
        copies.filter(|copy| !copy.is_of(&rejected.metadata) && Some(copy.version) >= deployed);
    for copy in copies {
        let version = copy.to_deployed();
        let Some(files) = files_of_copy(job, copy) else {
            continue;
        };
        if deploy_version(attempt, &version, &files)?.is_none() {
            return Ok(Outcome::Overtaken);
        }
        let version = version.version;
        warn_of_rejection(
            job,
            rejection,
            format_args!("version {version} comes from the cache"),
        );
        return Ok(Outcome::Done);
    }
    if let Some(version) = deployed {
        warn_of_rejection(
            job,
            rejection,
            format_args!("version {version} stays in place"),
        );
        return Ok(Outcome::Done);
    }
    let contents = &job.recipe.contents;
    let files = contents.render_answer(job.kv_mount, job.path, rejected)?;
    let version = DeployedVersion::from_openbao(&job.identity, &rejected.metadata);
    if deploy_version(attempt, &version, &files)?.is_none() {
        return Ok(Outcome::Overtaken);
    }
    warn_of_rejection(
        job,
        rejection,
        format_args!("it is written all the same, because there is no other"),
    );
    Ok(Outcome::Done)
}

/// Returns the number of the version in the output directory, if it is of this secret.
fn deployed_version(job: &FetchJob<'_>) -> Result<Option<u64>, Error> {
    let output = job.output;
    if !StateDir::exists(output)? {
        return Ok(None);
    }
    StateDir::open(output)?.version_of(&job.identity)
}

fn warn_of_rejection(job: &FetchJob<'_>, rejection: &Rejection, action: fmt::Arguments<'_>) {
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
        job.path,
        reason.join(" "),
        name.to_string_lossy()
    ));
}
