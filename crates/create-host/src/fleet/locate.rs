//! The folder of the fleet: the one that was given, the nearest one upwards, or the only one below
//! with hosts.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use zts_cli::{Failure, note};
use zts_infra_edit::nix;

use super::{SETTINGS_FILE, Tree};
use crate::{failure::file_failure, git};

/// Returns the folder of the fleet: `folder`, else the nearest one from the current folder upwards,
/// else the only one below with hosts.
pub(super) fn locate_fleet(folder: Option<&Path>) -> Result<PathBuf, Failure> {
    match folder {
        Some(folder) => check_folder(folder),
        None => nearest_folder(),
    }
}

fn check_folder(folder: &Path) -> Result<PathBuf, Failure> {
    if is_fleet(folder)? {
        let is_current = fs::canonicalize(folder).ok() == fs::canonicalize(".").ok();
        if !is_current {
            note(format_args!("paths are from `{}`", folder.display()));
        }
        return Ok(folder.to_owned());
    }
    let failure = Failure::usage(format_args!(
        "`{}` is not a fleet: it has neither `{SETTINGS_FILE}` nor `flake.nix`",
        folder.display()
    ));
    Err(failure.hint("give the folder of the fleet with `--repo`"))
}

fn nearest_folder() -> Result<PathBuf, Failure> {
    let current =
        env::current_dir().map_err(|cause| file_failure("find", Path::new("."), cause))?;
    for folder in current.ancestors() {
        if is_fleet(folder)? {
            return Ok(fleet_instead_of(folder).unwrap_or_else(|| folder.to_owned()));
        }
    }
    let below = if git::is_repository(&current) {
        list_fleets(&current, MAX_DEPTH)
    } else {
        Vec::new()
    };
    match below.as_slice() {
        [only] => {
            report_folder(&current, only);
            Ok(only.clone())
        }
        below => Err(no_fleet(&current, below)),
    }
}

/// Returns the failure for a folder without a fleet in it or above. Several are below, or none.
fn no_fleet(current: &Path, below: &[PathBuf]) -> Failure {
    Failure::usage(format_args!(
        "there is no fleet in `{}` or above: no `{SETTINGS_FILE}` and no `flake.nix`",
        current.display()
    ))
    .hint(if below.is_empty() {
        format!(
            "change to the folder of the fleet, or give it with `--repo`; for a host of a repository without a \
             flake, make an empty `{SETTINGS_FILE}` there, and add `--enroll`"
        )
    } else {
        let ways = below
            .iter()
            .map(|folder| format!("`--repo {}`", relative(current, folder)));
        let ways: Vec<String> = ways.collect();
        format!("give the folder of the fleet: {}", ways.join(" or "))
    })
}

/// Returns the only fleet with hosts below a repository's root whose own flake has none and is
/// without settings, such as one with a shell for development.
fn fleet_instead_of(root: &Path) -> Option<PathBuf> {
    if root.join(SETTINGS_FILE).exists() || has_hosts(root) || !git::is_repository(root) {
        return None;
    }
    let tree = Tree::new(root).ok()?;
    let hosts = nix::list_hosts(&tree, "flake.nix").ok()?;
    let below = list_fleets(root, MAX_DEPTH);
    let [only] = below.as_slice() else {
        return None;
    };
    let is_other = hosts.is_empty() && has_hosts(only);
    is_other.then(|| {
        report_folder(root, only);
        only.clone()
    })
}

fn report_folder(current: &Path, fleet: &Path) {
    note(format_args!(
        "the fleet is `{}`, the only folder here whose flake has hosts; paths are from there",
        relative(current, fleet)
    ));
}

fn relative<'a>(current: &Path, folder: &'a Path) -> std::path::Display<'a> {
    folder.strip_prefix(current).unwrap_or(folder).display()
}

/// The depth to which fleets are searched for.
const MAX_DEPTH: usize = 3;

/// Lists the fleets below a folder: those with hosts, else all.
fn list_fleets(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut fleets = Vec::new();
    collect_fleets(folder, depth, &mut fleets);
    fleets.sort();
    if fleets.iter().any(|folder| has_hosts(folder)) {
        fleets.retain(|folder| has_hosts(folder));
    }
    fleets
}

fn collect_fleets(folder: &Path, depth: usize, fleets: &mut Vec<PathBuf>) {
    const OTHERS: [&str; 6] = [
        "examples",
        "node_modules",
        "target",
        "templates",
        "test",
        "tests",
    ];
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || name.starts_with('.') || OTHERS.contains(&&*name) {
            continue;
        }
        let path = entry.path();
        if is_fleet(&path).unwrap_or_default() {
            fleets.push(path);
        } else if depth > 1 {
            collect_fleets(&path, depth - 1, fleets);
        }
    }
}

/// Returns whether a fleet has hosts: other flakes have packages, or are templates.
fn has_hosts(folder: &Path) -> bool {
    let flake = fs::read_to_string(folder.join("flake.nix")).unwrap_or_default();
    folder.join(SETTINGS_FILE).exists()
        || flake.contains("nixosConfigurations")
        || flake.contains("nixosSystem")
        || ["hosts", "machines", "nodes", "systems"]
            .iter()
            .any(|name| folder.join(name).is_dir())
}

/// Returns whether a folder has one of the files of a fleet.
fn is_fleet(folder: &Path) -> Result<bool, Failure> {
    for name in [SETTINGS_FILE, "flake.nix"] {
        let path = folder.join(name);
        match path.try_exists() {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {}
            Err(cause) => return Err(file_failure("find", &path, cause)),
        }
    }
    Ok(false)
}
