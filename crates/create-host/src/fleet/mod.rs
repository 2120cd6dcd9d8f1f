//! The fleet: a folder with a flake, and what `fleet.toml` says of it.

mod lock;
mod read;
mod settings;
mod tree;

use std::{
    env,
    path::{Path, PathBuf},
};

use cli::Failure;

pub(crate) use lock::Lock;
pub(crate) use settings::Settings;
pub(crate) use tree::{Contents, Tree, text_of};

use crate::failure;

/// The file with the fleet's own settings.
pub(crate) const SETTINGS: &str = "fleet.toml";

/// A fleet that was found and whose settings are valid.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) tree: Tree,
    pub(crate) settings: Settings,
}

impl Fleet {
    /// Opens the fleet in `folder`, or the nearest one from the current folder upwards.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Failure> {
        let root = match folder {
            Some(folder) => given(folder)?,
            None => nearest()?,
        };
        let tree = Tree::new(&root)?;
        let settings = match tree.text(SETTINGS)? {
            Some(text) => read::read(&text)?,
            None => Settings::default(),
        };
        Ok(Self { tree, settings })
    }
}

fn given(folder: &Path) -> Result<PathBuf, Failure> {
    if is_fleet(folder) {
        return Ok(folder.to_owned());
    }
    let failure = Failure::usage(format_args!(
        "`{}` is no fleet: it has neither `{SETTINGS}` nor `flake.nix`",
        folder.display()
    ));
    Err(failure.hint("give the folder of the fleet with `--repo`"))
}

fn nearest() -> Result<PathBuf, Failure> {
    let here = env::current_dir().map_err(|cause| failure::io("find", Path::new("."), cause))?;
    let found = here.ancestors().find(|folder| is_fleet(folder));
    found.map(Path::to_owned).ok_or_else(|| {
        Failure::usage(format_args!(
            "there is no fleet in `{}` or above: no `{SETTINGS}` and no `flake.nix`",
            here.display()
        ))
        .hint("go to the folder of the fleet, or name it with `--repo`")
    })
}

fn is_fleet(folder: &Path) -> bool {
    [SETTINGS, "flake.nix"]
        .iter()
        .any(|name| folder.join(name).exists())
}
