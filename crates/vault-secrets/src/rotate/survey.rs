//! Queries OpenBao for new versions, before any is deployed. Secrets that are gone are removed, and
//! versions that cannot be written are rejected, as they are found.

use std::collections::{BTreeMap, BTreeSet};

use zts_cli::{Failure, warn};
use zts_delivery::{Error, Failures, OutputState, Removal, remove_secret};
use zts_openbao::kv::VersionMetadata;

use super::{
    actions, copies,
    repair::AlteredSet,
    run::Run,
    updates::{PendingUpdate, UpdateClient, UpdateStatus},
};
use crate::{host::HostSecret, text::Names};

/// New versions, by their secrets' names.
pub(super) type Updates<'a> = BTreeMap<&'a str, Box<PendingUpdate>>;

/// The secrets of a run that differ from OpenBao or from their declaration.
#[derive(Default)]
pub(super) struct Survey<'a> {
    pub(super) updates: Updates<'a>,
    /// Secrets whose deployed files are not as they were written or declared.
    pub(super) altered: BTreeMap<&'a str, AlteredSet>,
    /// Secrets that cannot be fetched now.
    pub(super) unfetchable: BTreeSet<&'a str>,
}

/// Queries the secrets of the run. Returns `None` if OpenBao is unavailable. A newer version
/// replaces an unproven one without waiting for the end of the rollout.
pub(super) fn query_secrets<'a>(
    run: &mut Run<'a>,
    client: &mut UpdateClient<'_>,
) -> Option<Survey<'a>> {
    let mut survey = Survey::default();
    for name in run.scope.clone() {
        run.outcomes.of(name); // adds an outcome, so that the secret is in the report
        let secret = run.secrets[name].clone();
        match query_and_remove(client, &secret) {
            UpdateStatus::Current(given) => {
                if let Some(given) = given {
                    copies::keep(&secret, &given);
                }
                copies::confirm_source(&secret);
            }
            UpdateStatus::Altered(altered) => drop(survey.altered.insert(name, *altered)),
            UpdateStatus::New(update) => drop(survey.updates.insert(name, update)),
            UpdateStatus::Rejected(rejection) => {
                run.outcomes
                    .fail(name, copies::still_rejected(name, &rejection));
                let altered = find_altered(&secret).map(|altered| (name, altered));
                survey.altered.extend(altered);
            }
            UpdateStatus::Unusable(version, error) => {
                reject_unusable(run, &secret, version, error);
            }
            UpdateStatus::Gone(error, _) | UpdateStatus::Failed(error) => {
                survey.unfetchable.insert(name);
                run.outcomes.fail(name, error.into());
            }
            UpdateStatus::Unavailable(error) => {
                fail_all(run, error, name);
                return None;
            }
        }
    }
    Some(survey)
}

/// Returns the files of a secret with a rejected version if they are not as they were written. An
/// error is only a warning.
fn find_altered(secret: &HostSecret<'_>) -> Option<AlteredSet> {
    AlteredSet::from_copy(secret).unwrap_or_else(|error| {
        warn(format_args!("`{}`: {error}", secret.name));
        None
    })
}

/// Queries the other secrets of services to be restarted. A restart fetches those, too: new
/// versions of them take part in the rollout, and one that cannot be fetched would fail the
/// restart.
pub(super) fn query_companions<'a>(
    run: &mut Run<'a>,
    client: &mut UpdateClient<'_>,
    restarted: &Names,
    survey: &mut Survey<'a>,
) {
    let companions: BTreeSet<_> = run
        .uses
        .iter()
        .filter(|one| restarted.contains(one.service) && !run.scope.contains(one.secret))
        .map(|one| one.secret)
        .collect();
    for name in companions {
        let secret = run.secrets[name].clone();
        match query_and_record(client, &secret) {
            UpdateStatus::Current(_)
            | UpdateStatus::Altered(_)
            | UpdateStatus::Rejected(_)
            | UpdateStatus::Unavailable(_) => {}
            UpdateStatus::New(update) => drop(survey.updates.insert(name, update)),
            UpdateStatus::Unusable(version, error) => {
                reject_unusable(run, &secret, version, error);
            }
            UpdateStatus::Gone(..) | UpdateStatus::Failed(_) => {
                survey.unfetchable.insert(name);
            }
        }
    }
}

/// Drops the updates that must wait. A restart of a service fetches all secrets that it uses, and
/// would fail because of one that cannot be fetched now.
pub(super) fn hold_back_updates(run: &mut Run<'_>, restarted: &Names, survey: &mut Survey<'_>) {
    let updated = survey.updates.keys().copied().collect();
    let held = actions::held_back(&run.uses, restarted, &updated, &survey.unfetchable);
    for (name, (service, other)) in held {
        survey.updates.remove(name);
        run.outcomes.fail(
            name,
            Failure::failed(format!(
                "the new version waits: a restart of `{service}` would also fetch `{other}`, which \
                 cannot be fetched"
            ))
            .hint(format!(
                "`vault-secrets rotate {other}` shows why `{other}` cannot be fetched"
            )),
        );
    }
}

/// Ends a run in which OpenBao became unavailable at the secret `name`.
fn fail_all(run: &mut Run<'_>, error: Error, name: &str) {
    record_failure_of_all(run, &error, name);
    let failure = Failure::from(error).suffix("nothing was changed");
    run.outcomes.fail_all(run.scope.iter().copied(), failure);
}

/// Records for all secrets of this run, except `recorded`, why they cannot be fetched.
pub(super) fn record_failure_of_all(run: &Run<'_>, error: &Error, recorded: &str) {
    for name in run.scope.iter().filter(|name| **name != recorded) {
        let output = &run.secrets[name].declared.output_directory;
        Failures::record(output, Some(error));
    }
}

/// Queries a secret, and removes the files, copies and rejection of one that is gone from OpenBao.
/// Queries once more where another run has deployed the secret meanwhile, because it exists again.
fn query_and_remove(client: &mut UpdateClient<'_>, secret: &HostSecret<'_>) -> UpdateStatus {
    let status = query_and_record(client, secret);
    let UpdateStatus::Gone(_, before) = &status else {
        return status;
    };
    if remove_files(secret, before) == Removal::Done {
        return status;
    }
    let status = query_and_record(client, secret);
    if let UpdateStatus::Gone(_, before) = &status {
        let _ = remove_files(secret, before); // the next rotation queries it again
    }
    status
}

/// Removes the files, copies and rejection of a secret, unless another run has deployed it since
/// `before`. A failed removal is only a warning.
fn remove_files(secret: &HostSecret<'_>, before: &OutputState) -> Removal {
    let output = &secret.declared.output_directory;
    let cache = secret.copies();
    let removed = remove_secret(output, cache.as_ref(), &secret.identity, before);
    removed.unwrap_or_else(|error| {
        warn(format_args!(
            "the files of `{}` could not be removed: {error}",
            secret.name
        ));
        Removal::Done
    })
}

/// Queries a secret, and records for metrics whether it could be fetched. A rejection is recorded
/// elsewhere.
fn query_and_record(client: &mut UpdateClient<'_>, secret: &HostSecret<'_>) -> UpdateStatus {
    let status = client.query(secret);
    let error = match &status {
        UpdateStatus::Gone(error, _)
        | UpdateStatus::Failed(error)
        | UpdateStatus::Unavailable(error) => Some(error),
        UpdateStatus::Current(_)
        | UpdateStatus::Altered(_)
        | UpdateStatus::New(_)
        | UpdateStatus::Rejected(_)
        | UpdateStatus::Unusable(..) => None,
    };
    Failures::record(&secret.declared.output_directory, error);
    status
}

/// Rejects a version that lacks a key or cannot be written as files. It is then not read again by
/// each run, and fails no service's start.
fn reject_unusable(
    run: &mut Run<'_>,
    secret: &HostSecret<'_>,
    version: VersionMetadata,
    error: Error,
) {
    let (number, reason) = (version.version, error.to_string());
    let recorded = copies::reject_version(secret, number, Some(version.created_time), &reason);
    let failure = Failure::from(error).context(format!("version {number} is not used"));
    run.outcomes.fail(secret.name, failure);
    if let Err(error) = recorded {
        warn(format_args!("`{}`: {error}", secret.name));
    }
}
