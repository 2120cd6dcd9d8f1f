//! The fleet: a folder with a flake, and its settings.

mod checked;
mod findings;
mod kinds;
mod parse;
mod sections;
mod settings;
mod tree;

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use zts_cli::{Failure, note};
use zts_secure_fs::{Lock, LockKind};

pub(crate) use checked::Checked;
pub(crate) use findings::{Choice, Inference, Question, describe_origins, document, value_of};
pub(crate) use kinds::{Addresses, IpText};
pub(crate) use parse::{check_setting, parse_settings};
pub(crate) use sections::{HostType, format_header};
pub(crate) use settings::{Paths, SETTINGS_FILE, Settings};
pub(crate) use tree::{Contents, DRAFT_PREFIX, Tree, decode_text, is_draft};

use crate::{failure::file_failure, git};

/// A fleet with valid settings.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) tree: Tree,
    pub(crate) settings: Settings,
    /// True if the fleet has a file with settings.
    pub(crate) has_settings_file: bool,
    /// The file that names OpenBao's address, if it is not the one with the settings.
    pub(crate) address_file: Option<String>,
    /// The settings that its files tell.
    pub(crate) inference: Inference,
}

impl Fleet {
    /// Opens the fleet in `folder`, or the nearest one from the current folder upwards, with the
    /// settings as they are written.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Failure> {
        let tree = open_tree(folder)?;
        let text = tree.read_text(SETTINGS_FILE)?;
        Self::from_text(tree, text.as_deref())
    }

    /// Opens a fleet without a file of settings, as if `text` were that.
    pub(crate) fn open_new(folder: Option<&Path>, text: &str) -> Result<Self, Failure> {
        let tree = open_tree(folder)?;
        check_settings_absent(&tree)?;
        let fleet = Self::from_text(tree, Some(text))?;
        Ok(Self {
            has_settings_file: false,
            ..fleet
        })
    }

    fn from_text(tree: Tree, text: Option<&str>) -> Result<Self, Failure> {
        Ok(Self {
            tree,
            settings: parse_settings(text.unwrap_or_default())?,
            has_settings_file: text.is_some(),
            address_file: None,
            inference: Inference::default(),
        })
    }

    /// Returns the fleet with these settings as they are.
    pub(crate) fn with_plain_settings(&self, settings: Settings) -> Self {
        Self {
            settings,
            ..self.clone()
        }
    }

    /// Waits until no other run changes the fleet. The lock is on the folder itself, so no lock
    /// file is left behind.
    pub(crate) fn lock(&self, kind: LockKind) -> Result<Lock, Failure> {
        let root = self.tree.root();
        File::open(root)
            .and_then(|folder| {
                Lock::wait_and_report(folder, kind, || {
                    note("another create-host is changing this fleet: waiting for it to end");
                })
            })
            .map_err(|cause| file_failure("lock", root, cause))
    }
}

fn open_tree(folder: Option<&Path>) -> Result<Tree, Failure> {
    let root = match folder {
        Some(folder) => check_folder(folder)?,
        None => nearest_folder()?,
    };
    Tree::new(&root)
}

/// Refuses to write a file of settings that exists, also one that is a broken link.
pub(crate) fn check_settings_absent(tree: &Tree) -> Result<(), Failure> {
    let path = tree.root().join(SETTINGS_FILE);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(());
    }
    Err(Failure::usage(format_args!(
        "`{}` exists, and `create-host init` overwrites no settings",
        path.display()
    ))
    .hint(format!(
        "edit it; or, for a new one to compare it with, `mv {SETTINGS_FILE} {SETTINGS_FILE}.old`, then `create-host init`"
    )))
}

fn check_folder(folder: &Path) -> Result<PathBuf, Failure> {
    if is_fleet(folder)? {
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
            return Ok(folder.to_owned());
        }
    }
    Err(Failure::usage(format_args!(
        "there is no fleet in `{}` or above: no `{SETTINGS_FILE}` and no `flake.nix`",
        current.display()
    ))
    .hint(match repository_fleet(&current) {
        Some(below) => {
            let below = below.strip_prefix(&current).unwrap_or(&below);
            format!("give the folder of the fleet: `--repo {}`", below.display())
        }
        None => "change to the folder of the fleet, or give it with `--repo`".to_owned(),
    }))
}

/// The depth to which a fleet is searched for, to name it in a message.
const MAX_DEPTH: usize = 3;

/// Finds a fleet below a folder of a git repository.
fn repository_fleet(folder: &Path) -> Option<PathBuf> {
    git::is_repository(folder)
        .then(|| fleet_below(folder, MAX_DEPTH))
        .flatten()
}

/// Finds a fleet below a folder.
fn fleet_below(folder: &Path, depth: usize) -> Option<PathBuf> {
    let entries = folder.read_dir().ok()?.flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    let is_near = |folder: &&PathBuf| is_fleet(folder).unwrap_or_default();
    let fleets = || folders.iter().filter(is_near);
    let near = fleets().find(|folder| has_hosts(folder)).cloned();
    let deeper = |folder: &PathBuf| fleet_below(folder, depth - 1);
    let found = near.or_else(|| folders.iter().filter(|_| depth > 1).find_map(deeper));
    found.or_else(|| fleets().next().cloned())
}

/// Returns whether a fleet has hosts: other flakes have packages, or are templates.
fn has_hosts(folder: &Path) -> bool {
    let flake = fs::read_to_string(folder.join("flake.nix")).unwrap_or_default();
    folder.join(SETTINGS_FILE).exists()
        || flake.contains("nixosConfigurations =")
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
