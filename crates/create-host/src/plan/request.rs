//! The host that a run is for.

use super::{
    entry::{MachineEntry, machine_entry},
    entry_failure::EntryFailure,
    flake::{AddedEntry, Entry, add_entry},
    sources::Sources,
};
use crate::{
    change::ChangeSet,
    fleet::Settings,
    host::{HostAddress, HostName},
    placeholders::Values,
};

/// The host that a run is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) name: &'a HostName,
    /// The address on the command line.
    pub(crate) address: Option<HostAddress>,
    /// True if the token does not go to the machine map. The host then gets no entry there, which
    /// would make OpenTofu create a machine.
    pub(crate) has_delivery: bool,
    /// True with `--force`. The run must then issue a token.
    pub(crate) is_forced: bool,
    /// True if the run leaves OpenBao alone.
    pub(crate) skips_openbao: bool,
}

/// The host, and the fleet that it is added to.
pub(super) struct NewHost<'a> {
    pub(super) name: &'a HostName,
    pub(super) address: Option<HostAddress>,
    /// True if the fleet has the host already: its files and entries are its owner's.
    pub(super) is_known: bool,
    /// True if the host gets an entry in the machine map.
    pub(super) gets_entry: bool,
    pub(super) values: Values,
    pub(super) sources: &'a Sources,
    pub(super) settings: &'a Settings,
}

impl NewHost<'_> {
    /// Returns the entry in the machine map.
    pub(super) fn machine_entry(&self) -> MachineEntry {
        machine_entry(
            self.name,
            self.address,
            &self.values,
            self.sources,
            self.settings,
        )
    }
    /// Adds the host to the flake. The entry of a host that the fleet has is left as it is.
    pub(super) fn flake_entry(&self, changes: &mut ChangeSet) -> Result<AddedEntry, EntryFailure> {
        let entry = Entry {
            name: self.name,
            address: self.address,
            values: &self.values,
            is_known: self.is_known,
            is_in_map: self.gets_entry || self.is_known,
        };
        add_entry(&entry, self.sources, self.settings, changes)
    }
}
