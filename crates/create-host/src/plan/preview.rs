//! A new host in memory: the entries that it would get, and the values that a run for it needs.

use zts_cli::Failure;
use zts_infra_edit::vms;

use super::{
    entry::{MachineEntry, machine_entry},
    entry_failure::EntryFailure,
    flake::{AddedEntry, Entry, add_entry},
    own_values::{names_elsewhere, own_values},
    sources::Sources,
    template::{host_files, placeholder_values, render_files},
};
use crate::{
    change::ChangeSet,
    failure::edit_failure,
    fleet::{Checked, Fleet, Settings},
    host::{HostAddress, HostName},
    placeholders::{Placeholders, Values},
};

/// The name and the address of the host that is tried (RFC 5737).
const NAME: &str = "newcomer";
const ADDRESS: &str = "192.0.2.1/24";

/// The entries that a new host would get.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    /// The origin of the entry in the flake, if it is learnt, or of the certainty that it needs
    /// none.
    pub(crate) entry_origin: Option<String>,
    /// The entry in the flake that is learnt, with placeholders.
    pub(crate) entry: Option<String>,
    /// The reason why the flake gets no entry.
    pub(crate) problem: Option<EntryProblem>,
    /// The reason why the map of machines gets no entry.
    pub(crate) map_problem: Option<Failure>,
    /// True if a host needs an address.
    pub(crate) needs_address: bool,
    /// The attributes of a machine that are given for each.
    pub(crate) values: Vec<String>,
}

impl Preview {
    /// Notes the entry in the flake, or the reason why it gets none.
    fn note_entry(&mut self, added: Result<AddedEntry, EntryFailure>) -> Result<(), Failure> {
        match added {
            Ok(added) => {
                self.entry_origin = added.origin.map(|text| text.replace(NAME, "NAME"));
                self.entry = added.learnt.map(|text| with_placeholders(&text));
            }
            Err(EntryFailure::Individual(failure, candidates)) => {
                self.problem = Some(EntryProblem::Individual(without_name(&failure), candidates));
            }
            Err(EntryFailure::Unsupported(failure)) => {
                self.problem = Some(EntryProblem::Unsupported(without_name(&failure)));
            }
            Err(EntryFailure::Values(file, values)) => {
                let names = values.into_iter().map(|value| value.name);
                self.values.extend(names.filter(|name| name != "ip"));
                self.entry_origin = Some(format!("the entry in `{file}`"));
            }
            Err(EntryFailure::Other(failure)) => return Err(without_name(&failure)),
            Err(EntryFailure::InUse(place)) => return Err(Failure::failed(place)),
        }
        Ok(())
    }
}

/// A reason why the flake gets no entry.
#[derive(Debug)]
pub(crate) enum EntryProblem {
    /// The entries have too little in common; these are some of them.
    Individual(Failure, Vec<String>),
    /// The hosts are computed.
    Unsupported(Failure),
}

/// Tries a new host.
///
/// # Errors
/// A file that cannot be read or is not valid.
pub(crate) fn preview_new_host(fleet: &Fleet) -> Result<Preview, Failure> {
    let name = HostName::parse(NAME)?;
    let sources = Sources::read(fleet, &name)?;
    let mut preview = Preview {
        needs_address: uses_address(fleet, &name, &sources),
        values: list_own_names(&sources, &fleet.settings),
        ..Preview::default()
    };
    // any value is of the right form
    let values = preview
        .values
        .iter()
        .map(|name| (name.clone(), "1".to_owned()));
    let sources = sources.with_values(&values.collect::<Vec<_>>());
    let address = HostAddress::parse(ADDRESS)?;
    let added = match try_entry(fleet, &name, None, &sources) {
        Ok(added) => Ok(added),
        Err(_) => try_entry(fleet, &name, Some(address), &sources).inspect(|_| {
            preview.needs_address = true;
        }),
    };
    preview.note_entry(added)?;
    try_machine(fleet, &name, &sources, &mut preview)?;
    Ok(preview)
}

/// Returns the names of the placeholders whose values are given for each host.
fn list_own_names(sources: &Sources, settings: &Settings) -> Vec<String> {
    let mut names = names_elsewhere(sources, settings);
    names.extend(Placeholders::BRACES.own_names(settings.text.vm_entry.as_str()));
    names.into_iter().collect()
}

/// Plans the host's files and its entry in the flake.
fn try_entry(
    fleet: &Fleet,
    name: &HostName,
    address: Option<HostAddress>,
    sources: &Sources,
) -> Result<AddedEntry, EntryFailure> {
    let settings = &fleet.settings;
    let values = Values {
        own: own_values(sources, settings)?,
        ..placeholder_values(name, address, settings)
    };
    let mut changes = ChangeSet::default();
    for (path, text) in render_files(name, &values, sources, settings)? {
        changes.add(&path, None, Some(text.into_bytes()));
    }
    let entry = Entry {
        name,
        address,
        values: &values,
        is_known: false,
        is_in_map: sources.vms.is_some(),
    };
    add_entry(&entry, sources, settings, &mut changes)
}

/// Plans the machine's entry in the map.
fn try_machine(
    fleet: &Fleet,
    name: &HostName,
    sources: &Sources,
    preview: &mut Preview,
) -> Result<(), Failure> {
    let Some(vms) = &sources.vms else {
        return Ok(());
    };
    let settings = &fleet.settings;
    let values = Values {
        own: own_values(sources, settings)?,
        ..placeholder_values(name, None, settings)
    };
    let body = match machine_entry(name, None, &values, sources, settings) {
        MachineEntry::Text(body, _) => body,
        MachineEntry::Missing(missing) => {
            let names = missing.into_iter().map(|value| value.name);
            let (address, others) = names.partition(|name| name == "ip");
            let address: Vec<String> = address;
            preview.needs_address |= !address.is_empty();
            let others: Vec<String> = others;
            preview.values.extend(others);
            String::new()
        }
    };
    if let Err(error) = vms::add_vm(vms, &sources.vms_place, name.as_str(), &body) {
        let failure = edit_failure(settings.paths.vms.as_str(), &error);
        preview.map_problem = Some(without_name(&failure));
    }
    Ok(())
}

/// Returns whether the template or a text of the settings has a placeholder of the address.
fn uses_address(fleet: &Fleet, name: &HostName, sources: &Sources) -> bool {
    let settings = &fleet.settings;
    let files = host_files(name, sources, settings);
    let mut templates = files
        .iter()
        .filter_map(|(path, _)| sources.template.get(*path));
    let texts = [
        settings.text.flake_entry.as_ref().map(Checked::as_str),
        Some(settings.text.vm_entry.as_str()),
    ];
    let mut texts = texts.into_iter().flatten();
    settings.openbao.bind_cidr
        || templates
            .any(|bytes| Placeholders::AT_SIGNS.uses_address(&String::from_utf8_lossy(bytes)))
        || texts.any(|text| Placeholders::BRACES.uses_address(text))
}

/// Returns a failure of the preview without the name that nobody has given.
fn without_name(failure: &Failure) -> Failure {
    let renamed = Failure::failed(failure.message().replace(&format!("`{NAME}`"), "a host"));
    match failure.hint_text() {
        Some(hint) => renamed.hint(hint.replace(NAME, "NAME")),
        None => renamed,
    }
}

fn with_placeholders(text: &str) -> String {
    let (address, _) = ADDRESS.split_once('/').unwrap_or((ADDRESS, ""));
    text.replace(NAME, "{hostname}")
        .replace(ADDRESS, "{ip}")
        .replace(address, "{address}")
}
