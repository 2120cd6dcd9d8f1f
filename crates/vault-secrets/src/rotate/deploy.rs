//! Deploys new versions: all sets are written first, then exchanged right after each other.

use std::collections::{BTreeMap, BTreeSet};

use zts_cli::Failure;
use zts_delivery::{DeployedVersion, Error, Source, StateDir, directory};

use super::{copies, run::Run, survey::Updates, updates::PendingUpdate};
use crate::host::HostSecret;

/// The result of deploying a version.
pub(super) enum DeployResult {
    /// It is deployed, and its services have not come up with it yet.
    Unproven,
    /// It is deployed, and no service uses it.
    Proven,
    /// Its files are those of the deployed version.
    SameFiles,
    /// Another run has deployed another version meanwhile, or removed the secret.
    Overtaken,
    /// It could not be deployed. The files before it stay.
    Failed(Error),
}

/// Deploys new versions. Directories are locked only until all are deployed.
pub(super) fn deploy_updates<'a>(
    run: &Run<'a>,
    updates: &Updates<'a>,
) -> BTreeMap<&'a str, DeployResult> {
    let mut staged = Vec::new();
    let mut deployed = BTreeMap::new();
    for (name, update) in updates {
        let secret = &run.secrets[name];
        match stage_update(secret, update) {
            Ok(Staged::Ready(state_dir)) => staged.push((*name, secret, update, state_dir)),
            Ok(Staged::Done(done)) => drop(deployed.insert(*name, done)),
            Err(error) => drop(deployed.insert(*name, DeployResult::Failed(error))),
        }
    }
    for (name, secret, update, state_dir) in &staged {
        let result = exchange_staged(secret, update, state_dir);
        deployed.insert(*name, result.unwrap_or_else(DeployResult::Failed));
    }
    deployed
}

enum Staged {
    Ready(StateDir),
    Done(DeployResult),
}

fn stage_update(secret: &HostSecret<'_>, update: &PendingUpdate) -> Result<Staged, Error> {
    let ownership = update.recipe.ownership;
    let state_dir = StateDir::open(&secret.declared.output_directory)?;
    let version = version_of(secret, update);
    if state_dir.was_overtaken(&version, &update.before)? {
        return Ok(Staged::Done(DeployResult::Overtaken));
    }
    if directory::is_deployed(&state_dir, &update.files, ownership) {
        state_dir.renumber(&version)?;
        return Ok(Staged::Done(DeployResult::SameFiles));
    }
    state_dir.stage(&update.files, ownership)?;
    Ok(Staged::Ready(state_dir))
}

fn exchange_staged(
    secret: &HostSecret<'_>,
    update: &PendingUpdate,
    state_dir: &StateDir,
) -> Result<DeployResult, Error> {
    let begun = state_dir.begin_rollout(&version_of(secret, update), secret.rollback_version());
    if let Err(error) = begun {
        let _ = state_dir.resume_rollout(); // the first error is the one to report
        return Err(error);
    }
    if secret.declared.services.is_empty() {
        state_dir.end_rollout()?;
        return Ok(DeployResult::Proven);
    }
    Ok(DeployResult::Unproven)
}

fn version_of(secret: &HostSecret<'_>, update: &PendingUpdate) -> DeployedVersion {
    let metadata = &update.secret.metadata;
    DeployedVersion::now(
        &secret.identity,
        metadata.version,
        &metadata.created_time,
        Source::OpenBao,
    )
}

/// Stores copies, records the results, and returns the secrets with new files. The result of an
/// unproven version is recorded at the end of the run.
pub(super) fn record_deployed<'a>(
    run: &mut Run<'a>,
    updates: &Updates<'a>,
    deployed: &BTreeMap<&'a str, DeployResult>,
) -> BTreeSet<&'a str> {
    let mut changed = BTreeSet::new();
    for (name, result) in deployed {
        let given = &updates[name].secret;
        let version = given.metadata.version;
        if let DeployResult::Unproven | DeployResult::Proven | DeployResult::SameFiles = result {
            copies::keep(&run.secrets[name], given);
        }
        if let DeployResult::Unproven | DeployResult::Proven = result {
            changed.insert(*name);
        }
        let done = match result {
            DeployResult::Unproven => continue,
            DeployResult::Proven => "is in place",
            DeployResult::SameFiles => "has the same files as the one before",
            DeployResult::Overtaken => "was overtaken by another run",
            DeployResult::Failed(error) => {
                let message = format!("version {version} could not be deployed: {error}");
                run.outcomes.fail(name, Failure::failed(message));
                continue;
            }
        };
        run.outcomes.done(name, format!("version {version} {done}"));
    }
    changed
}
