//! The files that a plan is made from.

use zts_cli::Failure;
use zts_infra_edit::generated::{self, GeneratedHost};

use crate::{
    failure::edit_failure,
    fleet::{Contents, Fleet, Settings},
    git,
    host::HostName,
};

/// The present contents of the files that a host is part of.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// `None` if the flake needs no entry.
    pub(super) flake: Option<String>,
    pub(super) vms: String,
    pub(super) generated: Option<String>,
    /// By their path from the fleet's root.
    pub(super) template: Contents,
    /// By their path from the fleet's root.
    pub(super) host_files: Contents,
    /// Those of the host's files that git can restore.
    pub(super) committed: Vec<String>,
}

impl Sources {
    /// Reads the files for the creation of a host.
    pub(crate) fn read(fleet: &Fleet, name: &HostName) -> Result<Self, Failure> {
        let (tree, paths) = (&fleet.tree, &fleet.settings.paths);
        let flake = if fleet.settings.text.flake_entry.as_str().trim().is_empty() {
            None
        } else {
            let hint = "set the file with `nixosConfigurations` with `flake` under `[paths]` in `fleet.toml`";
            Some(tree.read_required(paths.flake.as_str(), hint)?)
        };
        let hint = "create it with `locals { vms = {} }` on lines of its own, or set another with `vms` under \
                    `[paths]` in `fleet.toml`";
        Ok(Self {
            flake,
            vms: tree.read_required(paths.vms.as_str(), hint)?,
            generated: tree.read_text(paths.generated.as_str())?,
            template: tree.read_folder(paths.template.as_str())?,
            host_files: tree.read_folder(&format!("{}/{name}", paths.hosts))?,
            committed: Vec::new(),
        })
    }

    /// Reads the files for the removal of a host, and asks git which of them it can restore.
    pub(crate) fn read_for_removal(fleet: &Fleet, name: &HostName) -> Result<Self, Failure> {
        let sources = Self::read(fleet, name)?;
        let committed = git::list_committed(fleet.tree.root(), sources.host_files.keys());
        Ok(Self {
            committed,
            ..sources
        })
    }

    /// Parses the hosts in the generated file.
    pub(super) fn generated_hosts(
        &self,
        settings: &Settings,
    ) -> Result<Vec<GeneratedHost>, Failure> {
        let text = self.generated.as_deref().unwrap_or_default();
        generated::parse_hosts(text)
            .map_err(|error| edit_failure(settings.paths.generated.as_str(), &error))
    }
}
