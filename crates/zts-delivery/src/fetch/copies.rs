//! Cached copies that may stand in for OpenBao, and the versions that were rejected.

use std::time::{Duration, SystemTime};

use zts_openbao::{SecretMap, kv::VersionMetadata};

use crate::{
    Cache, CachedCopy, CachedCopyState, CopyAge, Error, Files, PendingRollout, Proof, Rejection,
    certificate::{seconds, validity_of},
    fetch::job::FetchJob,
};

/// Returns the copies that may stand in for OpenBao, the newest first.
pub(crate) fn usable_copies(job: &FetchJob<'_>) -> Result<Vec<(CachedCopy, CopyAge)>, Error> {
    let Some(cache) = &job.recipe.cache else {
        return Ok(Vec::new());
    };
    let mut copies = Vec::from_iter(find_unproven_copy(job, cache, Proof::Unproven)?);
    match cache.read_copy(Proof::Proven) {
        CachedCopyState::Usable(copy, age) => copies.push((copy, age)),
        CachedCopyState::Absent => copies.extend(find_unproven_copy(job, cache, Proof::Replaced)?),
        // a fetch that needs the copy warns of it
        CachedCopyState::TooOld(_) | CachedCopyState::OfOtherSecret(_) => {}
        CachedCopyState::Unusable(reason) => warn_of_unusable_copy(job, &reason),
    }
    Ok(copies)
}

fn find_unproven_copy(
    job: &FetchJob<'_>,
    cache: &Cache,
    proof: Proof,
) -> Result<Option<(CachedCopy, CopyAge)>, Error> {
    match cache.read_copy(proof) {
        CachedCopyState::Usable(copy, age) if !is_rejected(job, &copy)? => Ok(Some((copy, age))),
        _ => Ok(None),
    }
}

/// Returns the files of a copy. Returns `None`, with a warning, where it cannot be used.
pub(crate) fn files_of_copy(job: &FetchJob<'_>, copy: CachedCopy) -> Option<Files> {
    let files = match copy.values() {
        Ok(values) => check_certificate(job, &values).and_then(|()| {
            let files = job.recipe.contents.files(job.path(), &values);
            files.map_err(|error| error.to_string())
        }),
        Err(cause) => Err(format!(
            "it is sealed, and {cause}; it opens only on the machine that sealed it, with the \
             same TPM and `/var/lib/systemd/credential.secret`"
        )),
    };
    files
        .map_err(|reason| warn_of_unusable_copy(job, &reason))
        .ok()
}

/// Refuses the values of a copy whose certificate has ended, with the reason.
fn check_certificate(job: &FetchJob<'_>, values: &SecretMap) -> Result<(), String> {
    if !job.secret.is_certificate() {
        return Ok(());
    }
    match validity_of(job.secret.engine, values) {
        None => Err("it has no certificate of this host".to_owned()),
        Some(validity) if validity.has_ended(seconds(SystemTime::now())) => {
            Err("its certificate has expired".to_owned())
        }
        Some(_) => Ok(()),
    }
}

fn warn_of_unusable_copy(job: &FetchJob<'_>, reason: &str) {
    (job.warn)(format_args!("the cached copy cannot be used: {reason}"));
}

/// Warns of a copy that is too old or of another secret, as after a change of the declaration. Only
/// a fetch that needs the copy does so.
pub(crate) fn warn_of_unused_copy(job: &FetchJob<'_>) {
    let Some(cache) = &job.recipe.cache else {
        return;
    };
    match (cache.read(), cache.max_age) {
        (CachedCopyState::TooOld(age), Some(most)) => (job.warn)(format_args!(
            "the cached copy is not used: OpenBao confirmed it {}, and its age limit is {}",
            confirmed(age),
            humantime::format_duration(most)
        )),
        (CachedCopyState::OfOtherSecret(reason), _) => warn_of_unusable_copy(job, &reason),
        _ => {}
    }
}

/// Formats the time when OpenBao confirmed a copy of this age.
pub(crate) fn confirmed(age: CopyAge) -> String {
    age.map_or_else(
        || "at an unknown time (it is dated in the future: the clock was or is wrong)".to_owned(),
        |age| format!("{} ago", format_time(age)),
    )
}

/// Formats a time in whole seconds.
pub(crate) fn format_time(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}

/// Returns the rejection of a version that was rejected here, or is being rolled back.
pub(crate) fn find_rejection(
    job: &FetchJob<'_>,
    version: &VersionMetadata,
) -> Result<Option<Rejection>, Error> {
    rejection_of(job, version.version, &version.created_time)
}

/// Returns whether a copy is of a version that was rejected here, or is being rolled back.
fn is_rejected(job: &FetchJob<'_>, copy: &CachedCopy) -> Result<bool, Error> {
    Ok(rejection_of(job, copy.version, &copy.created_time)?.is_some())
}

fn rejection_of(
    job: &FetchJob<'_>,
    version: u64,
    created_time: &str,
) -> Result<Option<Rejection>, Error> {
    let output = job.output;
    let noted = Rejection::load(job.cache_folder(), output)?;
    let noted = noted.filter(|note| note.matches(version, created_time));
    if noted.is_some() {
        return Ok(noted);
    }
    // the rejection of a version that is being rolled back may not be written yet
    let rollout = PendingRollout::read(output)?;
    let rolled_back = rollout.filter(|rollout| rollout.has_rolled_back(version, created_time));
    Ok(rolled_back.map(|_| Rejection {
        version,
        created_time: Some(created_time.to_owned()),
        reason: "its services did not come up".to_owned(),
        at: SystemTime::now(),
    }))
}
