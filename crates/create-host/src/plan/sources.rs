//! What the plan is made from.

use cli::Failure;

use crate::{
    fleet::{Contents, Fleet},
    git,
    host::HostName,
};

/// The files that have a say in a host, as they are now.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// `None` where the flake needs no entry.
    pub(super) flake: Option<String>,
    pub(super) vms: String,
    pub(super) generated: Option<String>,
    /// By their path from the fleet's root.
    pub(super) template: Contents,
    /// By their path from the fleet's root.
    pub(super) host_files: Contents,
    /// Those of the host's files that git would bring back.
    pub(super) in_git: Vec<String>,
}

impl Sources {
    /// The text of `vms.tf`.
    pub(crate) fn vms(&self) -> &str {
        &self.vms
    }

    /// Reads them; asks git only where files are to be `removed`.
    pub(crate) fn read(fleet: &Fleet, name: &HostName, removed: bool) -> Result<Self, Failure> {
        let (tree, paths) = (&fleet.tree, &fleet.settings.paths);
        let flake = if fleet.settings.text.flake_entry.as_str().trim().is_empty() {
            None
        } else {
            let hint =
                "`flake` under `[paths]` in `fleet.toml` says which file has `nixosConfigurations`";
            Some(tree.required(paths.flake.as_str(), hint)?)
        };
        let hint = "make it with `locals { vms = {} }` on lines of its own, or name another with `vms` under \
                    `[paths]` in `fleet.toml`";
        let host_files = tree.folder(&format!("{}/{name}", paths.hosts))?;
        let in_git = if removed {
            git::unchanged(tree.root(), host_files.keys())
        } else {
            Vec::new()
        };
        Ok(Self {
            flake,
            vms: tree.required(paths.vms.as_str(), hint)?,
            generated: tree.text(paths.generated.as_str())?,
            template: tree.folder(paths.template.as_str())?,
            in_git,
            host_files,
        })
    }
}
