//! The traces of a host in a fleet: which of several settings made it.

use std::collections::BTreeSet;

use zts_cli::Failure;

use super::{
    identity::{has_machine, is_complete, is_in_flake, is_listed},
    rendered::RenderedFiles,
    siblings::list_siblings,
    sources::Sources,
};
use crate::{
    fleet::{Fleet, Settings},
    host::HostName,
    inference::infer,
};

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

/// A file, and the place in it, that has a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trace {
    pub(crate) path: String,
    place: String,
}

/// Returns the files that have a host: the machine maps of all types, the generated file, the
/// host's own ones, the flake.
pub(crate) fn find_traces(fleet: &Fleet, name: &HostName) -> Result<BTreeSet<Trace>, Failure> {
    let mut plain = infer(fleet, fleet.settings.clone())?;
    plain.settings.siblings = list_siblings(name, fleet, &plain);
    let (sources, settings) = (Sources::read(&plain, name)?, &plain.settings);
    let found = recognize_host(name, &sources, settings)?;
    let generated = sources.generated_hosts(settings)?;
    let is_generated = generated.iter().any(|host| host.name == name.as_str());
    let trace = |path: &str, place: String| Trace {
        path: path.to_owned(),
        place,
    };
    let paths = &settings.paths;
    let mut traces: BTreeSet<Trace> = sources
        .host_files
        .keys()
        .map(|path| trace(path, String::new()))
        .collect();
    if is_generated {
        traces.insert(trace(paths.generated.as_str(), String::new()));
    }
    if found.is_in_flake {
        traces.insert(trace(paths.flake.as_str(), String::new()));
    }
    let types = fleet.settings.host_types.values();
    let types = types.filter(|host_type| host_type.vms.is_some() || host_type.vms_map.is_some());
    let types = types.map(|host_type| fleet.settings.with_type(host_type));
    let maps = types.map(|settings| infer(fleet, settings));
    for fleet in maps.chain([Ok(plain.clone())]) {
        let fleet = fleet?;
        if has_machine(name, &fleet)? {
            let (path, place) = (&fleet.settings.paths.vms, &fleet.settings.vms_place);
            traces.insert(trace(path.as_str(), place.to_string()));
        }
    }
    Ok(traces)
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
