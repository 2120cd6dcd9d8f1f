//! The fleet: a folder with a flake, and its settings.

mod checked;
mod findings;
mod kinds;
mod locate;
mod parse;
mod sections;
mod settings;
mod tree;

use std::{
    fs::{self, File},
    path::Path,
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

use crate::failure::file_failure;
use locate::locate_fleet;

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
    Tree::new(&locate_fleet(folder)?)
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
