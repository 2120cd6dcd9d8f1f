//! Rollouts of a run: resumed at its start; ended by proof, or by a roll-back and a rejection.

use std::collections::BTreeMap;

use zts_cli::{Failure, warn};
use zts_delivery::{DeployedVersion, Error, PendingRollout, Rejection, RolloutStage, StateDir};

use super::{
    actions::Plan,
    copies,
    monitor::{Monitor, Reasons},
    report,
    rollback_decision::RollbackDecision,
    run::Run,
};
use crate::{
    host::HostSecret,
    systemd::{self, Units},
    text::{self, Names},
};

/// Returns the pending rollouts, and adds their secrets to the scope of the run. Finishes the step
/// at which an earlier run was killed.
pub(super) fn resume<'a>(run: &mut Run<'a>) -> BTreeMap<&'a str, PendingRollout> {
    let mut rollouts = BTreeMap::new();
    for (name, secret) in &run.secrets {
        match resume_one(secret) {
            Ok(None) => {}
            Ok(Some(rollout)) => drop(rollouts.insert(*name, rollout)),
            Err(error) => run.outcomes.fail(name, error.into()),
        }
    }
    run.scope.extend(rollouts.keys());
    rollouts
}

fn resume_one(secret: &HostSecret<'_>) -> Result<Option<PendingRollout>, Error> {
    let output = &secret.declared.output_directory;
    if !StateDir::exists(output)? {
        return Ok(None);
    }
    let proven = PendingRollout::read(output)?.and_then(|_| secret.proven_version());
    let state_dir = StateDir::open(output)?;
    state_dir.end_proven_rollout(proven.as_ref())?;
    let rollout = state_dir.resume_rollout()?;
    if let Some(rollout) = &rollout
        && rollout.stage == RolloutStage::RolledBack
    {
        reject_rolled_back(secret, rollout)?;
    }
    Ok(rollout)
}

/// Rejects a version that an earlier run rolled back and was killed before it rejected it.
fn reject_rolled_back(secret: &HostSecret<'_>, rollout: &PendingRollout) -> Result<(), Error> {
    let (version, created_time) = (rollout.new.version, &rollout.new.created_time);
    let rejection = secret.declared.rejection()?;
    if rejection.is_some_and(|it| it.version == version && it.created_time == *created_time) {
        return Ok(());
    }
    let reason = format!("{} did not come up", text::list(&rollout.blamed));
    // an error loses nothing: the note of the rollout stays
    let _ = copies::reject_version(secret, version, created_time.clone(), &reason);
    Ok(())
}

/// Adds the rollouts that began with the deployment of `secrets`, and drops those that ended. One
/// that cannot be read is resumed by the next run.
pub(super) fn add_deployed<'a>(
    run: &mut Run<'a>,
    secrets: impl Iterator<Item = &'a str>,
    rollouts: &mut BTreeMap<&'a str, PendingRollout>,
) {
    for name in secrets {
        match PendingRollout::read(&run.secrets[name].declared.output_directory) {
            Ok(Some(rollout)) => drop(rollouts.insert(name, rollout)),
            Ok(None) => drop(rollouts.remove(name)),
            Err(error) => {
                rollouts.remove(name);
                run.outcomes.fail(name, error.into());
            }
        }
    }
}

/// Returns whether the version before the rollout can be deployed again.
pub(super) fn can_roll_back(secret: &HostSecret<'_>, rollout: &PendingRollout) -> bool {
    let has_set = || StateDir::has_rollback_beside(&secret.declared.output_directory);
    let is_kept = |old| has_set() || secret.copy_of(old).is_some();
    rollout.old.as_ref().is_some_and(is_kept)
}

/// Rolls a version back because `blamed` services did not come up. The old set is deployed even if
/// the rejection cannot be written. Until it is, the note of the rollout names the version.
pub(super) fn roll_back(
    secret: &HostSecret<'_>,
    blamed: &Names,
    reason: &str,
) -> Result<(), Error> {
    let state_dir = StateDir::open(&secret.declared.output_directory)?;
    let Some(rollout) = state_dir.pending_rollout()? else {
        return Ok(());
    };
    let Some(old) = &rollout.old else {
        return Ok(());
    };
    // without OpenBao a fetch may have deployed the old version, or else a still newer one
    let deployed = state_dir
        .deployed_version()?
        .unwrap_or_else(|| rollout.new.clone());
    if deployed.is_same(old) {
        return Ok(());
    }
    if !state_dir.has_rollback()? {
        write_rollback_set(secret, &state_dir, old)?;
    }
    state_dir.roll_back(blamed)?;
    let (version, created_time) = (deployed.version, deployed.created_time);
    if let Err(error) = copies::reject_version(secret, version, created_time, reason) {
        warn(format_args!(
            "the rejection of version {version} of `{}` could not be written: {error}",
            secret.name
        ));
    }
    Ok(())
}

/// Writes the set to roll back to from its copy, because a reboot removes the set.
fn write_rollback_set(
    secret: &HostSecret<'_>,
    state_dir: &StateDir,
    old: &DeployedVersion,
) -> Result<(), Error> {
    let (recipe, copy) = secret.copy_of(old).ok_or(Error::NoRollbackCopy {
        version: old.version,
    })?;
    let path = &secret.declared.secret_path;
    let files = recipe.contents.files(path, &copy.values()?)?;
    state_dir.write_rollback(&files, recipe.ownership)
}

/// Deploys a version again, after a roll-back that did not help.
pub(super) fn reapply(secret: &HostSecret<'_>) -> Result<(), Error> {
    let state_dir = StateDir::open(&secret.declared.output_directory)?;
    secret.declared.forget_rejection()?;
    state_dir.reapply()
}

/// Returns whether every running or starting service of a secret has come up with the unproven
/// version, and at least one has. A version without services is proven at once.
fn is_proven(run: &Run<'_>, name: &str, rollout: &PendingRollout, units: &Units) -> bool {
    let mut uses = run.uses_of_secret(name).peekable();
    if uses.peek().is_none() {
        return true;
    }
    let has_come_up = |service: &str| {
        let unit = units.get(service);
        let runs = unit.is_some_and(|unit| unit.is_running() || unit.active == "activating");
        !runs || rollout.came_up.contains(service)
    };
    !rollout.came_up.is_empty() && uses.all(|one| has_come_up(one.service))
}

/// Returns whether a rollout can be ended without waiting for a service.
pub(super) fn can_be_ended(
    run: &Run<'_>,
    rollouts: &BTreeMap<&str, PendingRollout>,
    units: &Units,
) -> bool {
    rollouts.iter().any(|(name, rollout)| {
        rollout.stage == RolloutStage::RolledBack || is_proven(run, name, rollout, units)
    })
}

/// Records which services have come up, and ends the rollouts that can be ended.
pub(super) fn end(
    run: &mut Run<'_>,
    plan: &Plan<'_>,
    decision: &RollbackDecision,
    monitor: &Monitor,
) -> Result<(), Failure> {
    let services = run.uses.iter().map(|one| one.service.to_owned());
    let units = systemd::show(&services.collect())?;
    for (name, rollout) in &plan.rollouts {
        let secret = run.secrets[name].clone();
        if let Some(blamed) = decision.blamed(name) {
            let failure = end_rolled_back(&secret, blamed).unwrap_or_else(Failure::from);
            run.outcomes.fail(name, failure);
            continue;
        }
        let rollout = record_came_up(run, &secret, rollout, monitor.came_up(), &units);
        let in_place = if is_proven(run, name, &rollout, &units) {
            let proven = end_proven(&secret, &rollout);
            proven.map(|version| format!("version {version} is in place"))
        } else {
            let reason = reason_unproven(run, name, &rollout, &units, monitor.unknown());
            let version = deployed_version(&secret, &rollout);
            version.map(|version| format!("version {version} is in place, unproven: {reason}"))
        };
        match in_place {
            Ok(in_place) => {
                let acted = report::acted_services(run, plan, name);
                run.outcomes.done(name, format!("{in_place}{acted}"));
            }
            Err(failure) => run.outcomes.fail(name, failure),
        }
    }
    Ok(())
}

/// Returns the number of the version in the output directory; that of the rollout where there is
/// none.
fn deployed_version(secret: &HostSecret<'_>, rollout: &PendingRollout) -> Result<u64, Failure> {
    let deployed = DeployedVersion::read(&secret.declared.output_directory)?;
    Ok(deployed.map_or(rollout.new.version, |deployed| deployed.version))
}

/// Records the services that came up with the version, and returns the updated rollout.
fn record_came_up(
    run: &Run<'_>,
    secret: &HostSecret<'_>,
    rollout: &PendingRollout,
    came_up: &Names,
    units: &Units,
) -> PendingRollout {
    let new: Names = run
        .uses_of_secret(secret.name)
        .filter(|one| came_up.contains(one.service))
        .filter(|one| {
            let unit = units.get(one.service);
            unit.is_some_and(|unit| run.has_taken_change(one, unit))
        })
        .map(|one| one.service.to_owned())
        .collect();
    let recorded = StateDir::open(&secret.declared.output_directory)
        .and_then(|state_dir| state_dir.note_came_up(&new));
    if let Err(error) = recorded {
        warn(format_args!("`{}`: {error}", secret.name));
    }
    let mut rollout = rollout.clone();
    rollout.came_up.extend(new);
    rollout
}

/// Returns the reason why a version is still unproven, as a message.
fn reason_unproven(
    run: &Run<'_>,
    name: &str,
    rollout: &PendingRollout,
    units: &Units,
    unknown: &Reasons,
) -> String {
    let services: Names = run
        .uses_of_secret(name)
        .map(|one| one.service.to_owned())
        .collect();
    let unknown: Vec<_> = unknown
        .iter()
        .filter(|(service, _)| services.contains(*service))
        .map(|(service, reason)| format!("`{service}`: {reason}"))
        .collect();
    if !unknown.is_empty() {
        return unknown.join("; ");
    }
    let runs = |service: &String| units.get(service).is_some_and(systemd::Unit::is_running);
    let with_older: Vec<_> = services
        .iter()
        .filter(|service| runs(service) && !rollout.came_up.contains(*service))
        .collect();
    if with_older.is_empty() {
        return "no service has come up with it yet".to_owned();
    }
    format!("waiting for a start of {}", text::list(with_older))
}

/// Ends the rollout of a proven version, makes its copy the proven one, and returns its number.
fn end_proven(secret: &HostSecret<'_>, rollout: &PendingRollout) -> Result<u64, Failure> {
    let state_dir = StateDir::open(&secret.declared.output_directory)?;
    let deployed = state_dir
        .deployed_version()?
        .unwrap_or_else(|| rollout.new.clone());
    let version = deployed.version;
    if rollout
        .old
        .as_ref()
        .is_some_and(|old| deployed.is_same(old))
    {
        state_dir.end_rollout()?;
        return Err(Failure::failed(format!(
            "version {version} is in place again: OpenBao was unavailable to a fetch meanwhile"
        ))
        .hint("the next rotation deploys the new version again"));
    }
    if let Some(Err(error)) = secret.copies().map(|copies| copies.prove(&deployed)) {
        warn(format_args!(
            "the copy of version {version} of `{}` could not be made the proven one: {error}",
            secret.name
        ));
    }
    copies::forget_rejection_until(secret, version);
    state_dir.end_rollout()?;
    Ok(version)
}

/// Ends the rollout of a version that was rolled back, and returns the failure to report.
fn end_rolled_back(secret: &HostSecret<'_>, blamed: &Names) -> Result<Failure, Error> {
    let state_dir = StateDir::open(&secret.declared.output_directory)?;
    // a fetch may have deployed a still newer version: its rollout and its copy stay
    let has_newer = state_dir.is_unproven()?;
    let rollout = state_dir.pending_rollout()?;
    let rejected = rollout.as_ref().map(|rollout| rollout.new.clone());
    let deployed = rollout.and_then(|rollout| {
        if has_newer {
            Some(rollout.new)
        } else {
            rollout.old
        }
    });
    let deployed = deployed.map_or_else(|| "another".to_owned(), |it| it.version.to_string());
    let rejection = secret.declared.rejection()?;
    if rejection.is_some() && !has_newer {
        state_dir.end_rollout()?; // without a rejection, the note of the rollout is the only record
    }
    if !has_newer
        && let (Some(copies), Some(rejected)) = (secret.copies(), rejected)
        && let Err(error) = copies.reject(&rejected)
    {
        warn(format_args!(
            "the copy of the rolled-back version of `{}` could not be removed: {error}",
            secret.name
        ));
    }
    let (version, reason) = rejection.map_or_else(
        || ("the new version".to_owned(), text::list(blamed)),
        |Rejection {
             version, reason, ..
         }| (format!("version {version}"), reason),
    );
    Ok(Failure::failed(format!(
        "{version} was rolled back, and version {deployed} is in place: {reason}"
    ))
    .hint(copies::again_hint(secret.name))
    .page("runbook/VaultVersionRejected.md"))
}
