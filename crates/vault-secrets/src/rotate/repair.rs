//! Rewrites deployed sets that somebody altered, or whose declaration has changed. The version
//! stays the same, so no rollout begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use zts_cli::{Failure, warn};
use zts_delivery::{
    Alteration, DeployedVersion, Error, Files, OnChange, Ownership, Recipe, StateDir, directory,
    uptime,
};

use super::{actions, run::Run};
use crate::{
    host::HostSecret,
    systemd::{Unit, Units},
    text::{self, Names},
};

/// The most by which the kernel's clock for files lags behind that of systemd.
const CLOCK_LAG: Duration = Duration::from_secs(1);

/// A deployed set that is not as it was written or declared, with the right files.
pub(super) struct AlteredSet {
    pub(super) deployed_version: DeployedVersion,
    pub(super) files: Files,
    pub(super) ownership: Ownership,
    pub(super) alteration: Alteration,
}

impl AlteredSet {
    /// Returns the altered set of a secret, with files from the copy of the deployed version.
    /// Without such a copy the set stays as it is until the next version.
    pub(super) fn from_copy(secret: &HostSecret<'_>) -> Result<Option<Self>, Error> {
        let recipe = secret.recipe()?;
        let Some(alteration) = secret.alteration(&recipe) else {
            return Ok(None);
        };
        let output = &secret.declared.output_directory;
        let Some(deployed_version) = DeployedVersion::read(output)? else {
            return Ok(None);
        };
        if let Some(files) = files_from_copy(secret, &recipe, &deployed_version) {
            return Ok(Some(Self {
                deployed_version,
                files,
                ownership: recipe.ownership,
                alteration,
            }));
        }
        if let Alteration::Altered { .. } = alteration {
            warn(format_args!(
                "`{}`: {}, and there is no copy of version {} to rewrite them from",
                secret.name,
                describe(&alteration),
                deployed_version.version
            ));
        }
        Ok(None)
    }

    /// Deploys the right files, and returns whether others were deployed. Does nothing if another
    /// run has deployed another version meanwhile.
    fn rewrite(&self, secret: &HostSecret<'_>) -> Result<bool, Error> {
        let state_dir = StateDir::open(&secret.declared.output_directory)?;
        let is_same = |now: DeployedVersion| now.is_same(&self.deployed_version);
        if !state_dir.deployed_version()?.is_some_and(is_same) {
            return Ok(false);
        }
        directory::deploy(&state_dir, &self.files, self.ownership, None)
    }

    /// Returns the earliest time at which the files may have been altered, counted from the boot.
    fn altered_since(&self) -> Duration {
        match &self.alteration {
            Alteration::Unknown | Alteration::Redeclared => Duration::ZERO,
            Alteration::Altered { since, .. } => {
                let age = SystemTime::now().duration_since(*since).unwrap_or_default();
                uptime().saturating_sub(age + CLOCK_LAG)
            }
        }
    }
}

fn files_from_copy(
    secret: &HostSecret<'_>,
    recipe: &Recipe,
    deployed_version: &DeployedVersion,
) -> Option<Files> {
    let copy = recipe.cache.as_ref()?.copy_of(deployed_version)?;
    let values = copy.values().ok()?;
    let path = &secret.declared.secret_path;
    recipe.contents.files(path, &values).ok()
}

fn describe(alteration: &Alteration) -> String {
    match alteration {
        Alteration::Altered { names, .. } if names.is_empty() => {
            "somebody altered the directory's owner or mode".to_owned()
        }
        Alteration::Altered { names, .. } => format!("somebody altered {}", text::list(names)),
        Alteration::Redeclared => "its declaration has changed".to_owned(),
        Alteration::Unknown => "the files were not as OpenBao has them".to_owned(),
    }
}

/// Rewrites altered sets. Services that may have read the altered files then count as running with
/// older files than the deployed ones, and are restarted or reloaded as for a change.
pub(super) fn rewrite_altered(
    run: &mut Run<'_>,
    altered: &BTreeMap<&str, AlteredSet>,
    units: &Units,
) {
    if altered.is_empty() {
        return;
    }
    let stale = actions::plan(run, units, &BTreeSet::new(), &Names::new());
    let mut rewritten = BTreeMap::new();
    for (name, set) in altered {
        let description = describe(&set.alteration);
        match set.rewrite(&run.secrets[name]) {
            Ok(false) => {}
            Ok(true) => {
                let version = set.deployed_version.version;
                let mut done = format!("the files of version {version} were written anew");
                if set.alteration == Alteration::Redeclared {
                    done = format!("{description}: {done}");
                } else {
                    warn(format_args!(
                        "`{name}`: {description}; version {version} was written anew"
                    ));
                }
                run.outcomes.done(name, done);
                rewritten.insert(*name, set.altered_since());
            }
            Err(error) => {
                let context = format!("{description}, and could not be rewritten");
                run.outcomes
                    .fail(name, Failure::from(error).context(context));
            }
        }
    }
    for (service, unit) in units {
        if !stale.contains_key(service) && has_right_files(run, service, unit, &rewritten) {
            run.taken.insert(service.clone(), uptime());
        }
    }
}

/// Returns whether a service uses a rewritten secret and read its files before they were altered.
/// Returns false for a service that is reloaded for changes, because the time of its last reload is
/// not known.
fn has_right_files(
    run: &Run<'_>,
    service: &str,
    unit: &Unit,
    rewritten: &BTreeMap<&str, Duration>,
) -> bool {
    let mut uses = run
        .uses_by_service(service)
        .filter(|one| rewritten.contains_key(one.secret))
        .peekable();
    uses.peek().is_some()
        && uses.all(|one| one.on_change != OnChange::Reload && unit.started < rewritten[one.secret])
}
