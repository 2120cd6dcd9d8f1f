//! The end of a trial, for good or bad, and what is told of it.

use std::{collections::BTreeSet, time::SystemTime};

use cli::{Failure, warn};
use delivery::{Cache, Deployed, Error, Kept, Rejection, Source, Standing, Trial, Workplace};
use openbao::kv;

use crate::{host::Secret, words};

/// Takes a version back: it is noted as rejected first, so that a fetch does not bring it again.
pub(crate) fn take_back(secret: &Secret<'_>, reason: &str) -> Result<(), Error> {
    let workplace = Workplace::open(&secret.declared.output_directory)?;
    let Some(trial) = workplace.trial() else {
        return Ok(());
    };
    // a fetch may have put the old version back, for OpenBao cannot be used, or a still newer one in place
    let standing = workplace.standing().unwrap_or(trial.new);
    if standing.is_same(&trial.old) {
        return Ok(());
    }
    reject(
        secret,
        standing.version,
        standing.created_time.clone(),
        reason,
    )?;
    workplace.take_back()
}

/// Notes that a version is not to be put in place.
pub(crate) fn reject(
    secret: &Secret<'_>,
    version: u64,
    created_time: Option<String>,
    reason: &str,
) -> Result<(), Error> {
    let rejection = Rejection {
        version,
        created_time,
        reason: words::one_line(reason),
        at: SystemTime::now(),
    };
    let home = secret.declared.home();
    home.map_or(Ok(()), |home| rejection.write(&home))
}

/// Puts a version in place again that was taken back in vain.
pub(crate) fn put_again(secret: &Secret<'_>) -> Result<(), Error> {
    let workplace = Workplace::open(&secret.declared.output_directory)?;
    if let Some(home) = secret.declared.home() {
        Rejection::forget(&home)?;
    }
    workplace.put_again()
}

/// Ends the trial of a version that stays: it is kept in the cache from now on. Gives its number.
pub(crate) fn accept(
    secret: &Secret<'_>,
    trial: &Trial,
    given: Option<&kv::Secret>,
) -> Result<u64, Failure> {
    let workplace = Workplace::open(&secret.declared.output_directory)?;
    let standing = workplace.standing();
    let version = standing.as_ref().map_or(0, |standing| standing.version);
    if standing.is_some_and(|standing| standing.is_same(&trial.old)) {
        workplace.end_trial()?;
        return Err(Failure::failed(format!(
            "version {version} is in place again: another fetch could not use OpenBao meanwhile"
        ))
        .hint("the next run tries the new version again"));
    }
    if let Some(given) = given.filter(|given| given.metadata.version == version) {
        keep(secret, given);
    }
    workplace.end_trial()?;
    Ok(version)
}

/// Ends the trial of a version that was taken back, and gives what is told of it.
pub(crate) fn refuse(secret: &Secret<'_>, blamed: &BTreeSet<String>) -> Result<Failure, Error> {
    let workplace = Workplace::open(&secret.declared.output_directory)?;
    let old = workplace.trial().map_or_else(
        || "another".to_owned(),
        |trial| trial.old.version.to_string(),
    );
    workplace.end_trial()?;
    let rejection = secret.declared.home().as_deref().and_then(Rejection::read);
    let (version, reason) = rejection.map_or_else(
        || ("the new version".to_owned(), words::list(blamed)),
        |rejection| (format!("version {}", rejection.version), rejection.reason),
    );
    Ok(Failure::failed(format!(
        "{version} was taken back, and version {old} is in place: {reason}"
    ))
    .hint(format!(
        "write a version that is good; `vault-secrets rotate {} --again` tries this one once more",
        secret.name
    )))
}

/// What is told of a version that was rejected before.
pub(crate) fn still_rejected(name: &str, rejection: &Rejection) -> Failure {
    let Rejection {
        version,
        reason,
        at,
        ..
    } = rejection;
    Failure::failed(format!(
        "version {version} is not used, it was rejected {} ago: {reason}",
        words::ago(*at)
    ))
    .hint(format!(
        "write a version that is good; `vault-secrets rotate {name} --again` tries this one once more"
    ))
}

/// What came from the cache turns out to be what OpenBao has.
pub(crate) fn confirm(secret: &Secret<'_>) {
    let output = &secret.declared.output_directory;
    let from_cache = |standing: &Standing| {
        standing.source == Source::Cache && standing.secret == secret.identity
    };
    let Some(found) = Standing::of(output).filter(from_cache) else {
        return;
    };
    let Ok(workplace) = Workplace::open(output) else {
        return; // told where it is written to
    };
    if workplace.standing().is_some_and(|now| now == found) {
        let _ = workplace.note(&Standing {
            source: Source::OpenBao,
            ..found
        }); // only `status` shows it
    }
}

/// Keeps a copy for the day OpenBao is down, and forgets that an earlier version was rejected.
pub(crate) fn keep(secret: &Secret<'_>, given: &kv::Secret) {
    let name = secret.name;
    let cache = match secret.recipe() {
        Ok(recipe) => recipe.cache,
        Err(_) => return, // told where it was put in place
    };
    match cache.map(|cache| cache.keep(given)) {
        None | Some(Ok(Kept::AsAsked)) => {}
        Some(Ok(Kept::Unsealed(cause))) => {
            warn(format_args!(
                "the copy of `{name}` is kept unsealed: {cause}"
            ));
        }
        Some(Err(error)) => {
            warn(format_args!(
                "no copy of `{name}` could be kept for the day OpenBao is down: {error}"
            ));
            return;
        }
    }
    let Some(home) = secret.declared.home() else {
        return;
    };
    if Rejection::read(&home).is_some_and(|old| old.version < given.metadata.version) {
        let _ = Rejection::forget(&home); // it is of no version that comes again
    }
}

/// Takes away what is left of a secret that is gone from the server. What another secret left in its
/// place stays, and what another run has written since this one saw `before`: the secret may be back.
pub(crate) fn remove(secret: &Secret<'_>, before: &Deployed) -> Result<(), Error> {
    let cache = secret.recipe()?.cache;
    let forget = || cache.as_ref().map_or(Ok(()), Cache::forget);
    let output = &secret.declared.output_directory;
    if !Workplace::is_there(output) {
        return forget();
    }
    let workplace = Workplace::open(output)?;
    if workplace.is_of_another(&secret.identity) {
        return forget();
    }
    if workplace.was_written_since(before) {
        return Ok(());
    }
    workplace.clear()?;
    Workplace::folder_of(output).map_or(Ok(()), |folder| Rejection::forget(&folder))?;
    forget()
}
