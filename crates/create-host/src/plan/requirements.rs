//! Checks that a run has all that it needs. One message asks for what is missing.

use zts_cli::Failure;

use super::{
    entry::{MachineEntry, ask_for_machine_values, ask_for_values},
    entry_failure::EntryFailure,
    missing::Missing,
    own_values::UsedPlaceholders,
    request::{NewHost, Request},
    sources::{Sources, needs_flake_entry},
    template::host_files,
};
use crate::{
    change::ChangeSet, deliver::WAYS, fleet::Settings, host::HostName, placeholders::Placeholders,
};

/// Checks that the run has all that it needs.
pub(super) fn check_nothing_is_missing(
    host: &NewHost<'_>,
    request: Request<'_>,
    is_listed: bool,
) -> Result<(), Failure> {
    let (sources, settings) = (host.sources, host.settings);
    let files = host_files(host.name, sources, settings);
    let mut missing = Missing::default();
    ask_for_files(&mut missing, &files, sources, settings);
    let is_address_missing = ask_for_address(&mut missing, host, &files, request);
    let asked = ask_for_entry_values(&mut missing, host, is_address_missing);
    ask_for_flake_values(&mut missing, host, is_address_missing, &asked);
    ask_for_placeholders(&mut missing, host, &files, &asked);
    ask_for_flake_entry(&mut missing, host);
    if request.is_forced && !request.has_delivery && !is_listed && !host.gets_entry {
        ask_for_delivery(&mut missing, host.name, sources, settings);
    }
    missing.check(host.name)
}

/// Asks for the flake; for a fleet that needs none, for the template.
fn ask_for_files(
    missing: &mut Missing,
    files: &[(&str, String)],
    sources: &Sources,
    settings: &Settings,
) {
    let needs_entry = needs_flake_entry(settings);
    if needs_entry && sources.flake.is_none() {
        missing.add(
            format!("`{}` does not exist", settings.paths.flake),
            "set the file with `nixosConfigurations` with `flake` under `[paths]` in `fleet.toml`",
        );
    }
    if files.is_empty() && !needs_entry {
        missing.add(
            format!("there is no template for a host's files in `{}`", settings.paths.template),
            "create `default.nix` and the files that it imports there, or set another folder with `template` \
             under `[paths]` in `fleet.toml`",
        );
    }
}

/// Asks for the address if a text needs it, and returns whether it did.
fn ask_for_address(
    missing: &mut Missing,
    host: &NewHost<'_>,
    files: &[(&str, String)],
    request: Request<'_>,
) -> bool {
    if host.address.is_some() {
        return false;
    }
    let Some(user) = address_user(host, files, request) else {
        return false;
    };
    missing.add(
        format!("`{}` has no address, which {user} needs", host.name),
        "give it with `--ip ADDRESS/LENGTH`",
    );
    true
}

/// Asks for the values of the entry in the machine map, and returns their names.
fn ask_for_entry_values(
    missing: &mut Missing,
    host: &NewHost<'_>,
    is_address_missing: bool,
) -> Vec<String> {
    if !host.gets_entry {
        return Vec::new();
    }
    let MachineEntry::Missing(mut values) = host.machine_entry() else {
        return Vec::new();
    };
    values.retain(|value| !is_address_missing || value.name != "ip");
    let file = host.settings.paths.vms.as_str();
    if !values.is_empty() {
        let (problem, way) = ask_for_machine_values(host.name, file, &values);
        missing.add(problem, way);
    }
    values.into_iter().map(|value| value.name).collect()
}

/// Asks for the text of the entry in the flake, if that cannot be learnt and another thing is
/// missing.
fn ask_for_flake_entry(missing: &mut Missing, host: &NewHost<'_>) {
    if missing.is_empty() {
        return; // the failure of the edit says more
    }
    let planned = host.flake_entry(&mut ChangeSet::default());
    if let Err(EntryFailure::Individual(failure, _)) = planned {
        missing.add(failure.message(), failure.hint_text().unwrap_or_default());
    }
}

/// Asks for the values of the entry that the flake reads from a file of data.
fn ask_for_flake_values(
    missing: &mut Missing,
    host: &NewHost<'_>,
    is_address_missing: bool,
    asked: &[String],
) {
    if host.is_known {
        return;
    }
    let Err(EntryFailure::Values(file, mut values)) = host.flake_entry(&mut ChangeSet::default())
    else {
        return;
    };
    values.retain(|value| !is_address_missing || value.name != "ip");
    values.retain(|value| !asked.contains(&value.name));
    if !values.is_empty() {
        let (problem, way) = ask_for_values(host.name, &file, &values, "hosts");
        missing.add(problem, way);
    }
}

/// Asks for the values of the placeholders in the texts that the host gets.
fn ask_for_placeholders(
    missing: &mut Missing,
    host: &NewHost<'_>,
    files: &[(&str, String)],
    asked: &[String],
) {
    let (sources, settings) = (host.sources, host.settings);
    let mut used = UsedPlaceholders::default();
    let entry = settings.text.flake_entry.as_ref();
    if let Some(entry) = entry.filter(|_| !host.is_known) {
        used.add_entry("flake_entry", entry.as_str());
    }
    if host.gets_entry {
        used.add_entry("vm_entry", settings.text.vm_entry.as_str());
    }
    for (path, target) in files {
        let bytes = sources.template.get(*path);
        if let Some(bytes) = bytes.filter(|_| !sources.host_files.contains_key(target)) {
            used.add_file(path, &String::from_utf8_lossy(bytes), &host.values.own);
        }
    }
    used.ask_for_values(missing, &host.values.own, asked);
}

/// Asks for a way for the token, which has no place in the fleet.
pub(super) fn ask_for_delivery(
    missing: &mut Missing,
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) {
    let place = match settings.paths.vms.as_str() {
        "" => "the fleet has no machine map".to_owned(),
        file if sources.vms.is_none() => format!("`{file}` does not exist"),
        file => format!("`{file}` does not have the host"),
    };
    let entry = if sources.vms.is_some() {
        let file = &settings.paths.vms;
        format!("; if OpenTofu makes the machine, add its entry `\"{name}\" = {{ … }}` to `{file}`")
    } else {
        String::new()
    };
    missing.add(
        format!("there is no way for the wrapping token of `{name}`: {place}"),
        format!("name a way: {WAYS}{entry}"),
    );
}

/// Returns the text that needs an address, if one does.
fn address_user(
    host: &NewHost<'_>,
    files: &[(&str, String)],
    request: Request<'_>,
) -> Option<String> {
    let settings = host.settings;
    let is_new = |target: &String| !host.sources.host_files.contains_key(target);
    let has_placeholder = |path: &str| {
        let bytes = host.sources.template.get(path);
        bytes.is_some_and(|bytes| {
            Placeholders::AT_SIGNS.uses_address(&String::from_utf8_lossy(bytes))
        })
    };
    let mut templates = files.iter().filter(|(_, target)| is_new(target));
    if let Some((path, _)) = templates.find(|(path, _)| has_placeholder(path)) {
        return Some(format!("`{path}`"));
    }
    let in_text = |text: &str| Placeholders::BRACES.uses_address(text);
    if host.gets_entry && in_text(settings.text.vm_entry.as_str()) {
        return Some("`vm_entry` under `[text]` in `fleet.toml`".to_owned());
    }
    let entry = settings.text.flake_entry.as_ref();
    if !host.is_known && entry.is_some_and(|entry| in_text(entry.as_str())) {
        return Some("`flake_entry` under `[text]` in `fleet.toml`".to_owned());
    }
    (settings.openbao.bind_cidr && !request.skips_openbao)
        .then(|| "`bind_cidr` under `[openbao]` in `fleet.toml`".to_owned())
}
