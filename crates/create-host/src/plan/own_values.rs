//! The values of the placeholders that are not the fleet's: `system`, `environment`, and those of
//! `--set`.

use std::collections::{BTreeMap, BTreeSet};

use zts_cli::Failure;
use zts_infra_edit::vms;

use super::{missing::Missing, sources::Sources};
use crate::{
    failure::edit_failure,
    fleet::{Checked, SETTINGS_FILE, Settings},
    placeholders::{ENVIRONMENT, Placeholders, SYSTEM},
};

/// Returns the values that are known: those of `--set`, the system of the host type, the
/// environment, and the next numbers of the map for `{next:…}`.
pub(super) fn own_values(
    sources: &Sources,
    settings: &Settings,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut values = sources.values.clone();
    let system = settings.system.as_ref().map(Checked::as_str);
    let chosen = [
        (SYSTEM, system),
        (ENVIRONMENT, settings.environment.as_deref()),
    ];
    for (name, value) in chosen {
        if let Some(value) = value.filter(|_| !values.contains_key(name)) {
            values.insert(name.to_owned(), value.to_owned());
        }
    }
    let vms = sources.vms.as_deref().unwrap_or_default();
    let entry = settings.text.flake_entry.as_ref();
    let texts = entry.map(Checked::as_str).into_iter();
    let texts = texts.chain([settings.text.vm_entry.as_str()]);
    for attribute in texts.flat_map(|text| Placeholders::BRACES.next_names(text)) {
        if values.contains_key(&attribute) {
            continue;
        }
        let next = vms::next_number(vms, &sources.vms_place, &attribute)
            .map_err(|error| edit_failure(settings.paths.vms.as_str(), &error))?;
        values.extend(next.map(|number| (attribute, number.to_string())));
    }
    Ok(values)
}

/// Returns the names of the placeholders in the template and in the text of the flake's entry.
pub(super) fn names_elsewhere(sources: &Sources, settings: &Settings) -> BTreeSet<String> {
    let template = sources.template.values();
    let names = template
        .flat_map(|bytes| Placeholders::AT_SIGNS.own_names(&String::from_utf8_lossy(bytes)));
    let entry = settings.text.flake_entry.as_ref();
    let in_entry = entry.map(|entry| Placeholders::BRACES.own_names(entry.as_str()));
    names.chain(in_entry.into_iter().flatten()).collect()
}

/// The placeholders in the texts that a new host gets: their places, and their names.
#[derive(Default)]
pub(super) struct UsedPlaceholders(Vec<(String, String)>);

impl UsedPlaceholders {
    /// Adds those in a file of the template. A misspelt placeholder is refused later.
    pub(super) fn add_file(&mut self, path: &str, text: &str, values: &BTreeMap<String, String>) {
        if Placeholders::AT_SIGNS.find_misspelt(text, values).is_some() {
            return;
        }
        let names = Placeholders::AT_SIGNS.own_names(text).into_iter();
        let place = |name: String| (format!("`@{name}@` in `{path}`"), name);
        self.0.extend(names.map(place));
    }

    /// Adds those in the setting `key` with the text of an entry.
    pub(super) fn add_entry(&mut self, key: &str, text: &str) {
        let names = Placeholders::BRACES.own_names(text).into_iter();
        let place = |name: String| (format!("`{{{name}}}` in `{key}`"), name);
        self.0.extend(names.map(place));
    }

    /// Asks for the values that they do not have. `asked` are the names that are asked for already.
    pub(super) fn ask_for_values(
        mut self,
        missing: &mut Missing,
        values: &BTreeMap<String, String>,
        asked: &[String],
    ) {
        self.0
            .retain(|(_, name)| !values.contains_key(name) && !asked.contains(name));
        let names: BTreeSet<&str> = self.0.iter().map(|(_, name)| name.as_str()).collect();
        let places: Vec<&str> = self.0.iter().map(|(place, _)| place.as_str()).collect();
        let (have, values) = match places.as_slice() {
            [] => return,
            [_] => ("has", "a value"),
            _ => ("have", "values"),
        };
        let flags: Vec<String> = names
            .iter()
            .map(|name| format!("--set {name}=VALUE"))
            .collect();
        let system = if names.contains(SYSTEM) {
            format!("; or set `system` of a host type in `{SETTINGS_FILE}`")
        } else {
            String::new()
        };
        missing.add(
            format!("{} {have} no value", places.join(", ")),
            format!("give {values}: `{}`{system}", flags.join(" ")),
        );
    }
}
