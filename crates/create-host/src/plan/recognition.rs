//! The traces of a host in a fleet: which of several settings made it.

use zts_cli::Failure;

use super::{
    identity::{is_complete, is_in_flake, is_listed},
    rendered::RenderedFiles,
    sources::Sources,
};
use crate::{fleet::Settings, host::HostName};

/// The traces of a host. Of two, the larger one is that of the settings that made the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trace of its own")]
pub(crate) struct Recognition {
    /// The machine map has the host.
    pub(crate) is_listed: bool,
    /// The host has each file of the template, and its entry in the flake.
    pub(crate) is_complete: bool,
    /// The number of its files that are as create-host writes them.
    pub(crate) same_files: usize,
    pub(crate) is_in_flake: bool,
    /// The host has a folder or a file.
    pub(crate) has_files: bool,
}

impl Recognition {
    /// Returns whether the settings have made the host.
    pub(crate) fn is_made(self) -> bool {
        self.is_listed || self.is_complete
    }

    /// Returns whether the fleet has a trace of the host.
    pub(crate) fn is_known(self) -> bool {
        self.is_listed || self.is_in_flake || self.has_files
    }
}

/// Looks for the traces of a host with these settings.
pub(crate) fn recognize_host(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) -> Result<Recognition, Failure> {
    Ok(Recognition {
        is_listed: is_listed(name, None, sources, settings)?,
        is_complete: is_complete(name, sources, settings),
        same_files: RenderedFiles::of_host(name, sources, settings).count,
        is_in_flake: is_in_flake(name, sources, settings),
        has_files: !sources.host_files.is_empty(),
    })
}
