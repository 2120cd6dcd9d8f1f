//! The text of a machine's new entry: that of the settings, else learnt from the other machines.

use zts_cli::{Failure, shell_word};
use zts_infra_edit::vms::{self, Assumption, Learnt, MissingValue, NewMachine};

use super::{flake::quote, sources::Sources};
use crate::{
    failure::edit_failure,
    fleet::{SETTINGS_FILE, Settings},
    host::{HostAddress, HostName},
    placeholders::{Placeholders, Values},
};

/// The entry of the first machine of a map.
const FIRST_ENTRY: &str = "ip = \"{ip}\"";

/// The entry of a new machine.
pub(super) enum MachineEntry {
    /// The text between its braces, and notes of the values in it that are assumed.
    Text(String, Vec<String>),
    /// The values that it needs.
    Missing(Vec<MissingValue>),
}

/// Returns the text of the entry, or every value that is missing.
pub(super) fn machine_entry(
    name: &HostName,
    address: Option<HostAddress>,
    values: &Values,
    sources: &Sources,
    settings: &Settings,
) -> Result<MachineEntry, Failure> {
    let vms = sources.vms.as_deref().unwrap_or_default();
    let render =
        |text: &str| Placeholders::BRACES.fill(text, values, |servers| quote(servers, ", "));
    let text = settings.text.vm_entry.as_str();
    if !text.trim().is_empty() {
        return fill_own(&render(text), sources, settings);
    }
    let address = address.map(|address| address.to_string());
    let new = NewMachine {
        host: name.as_str(),
        address: address.as_deref(),
        values: &sources.values,
    };
    let learnt = vms::learn_entry(vms, &sources.vms_place, &new);
    match learnt {
        Ok(Learnt::Body(body, assumed)) => {
            let notes = assumed.iter().map(|value| describe(value, name));
            Ok(MachineEntry::Text(body, notes.collect()))
        }
        Ok(Learnt::Missing(missing)) => Ok(MachineEntry::Missing(missing)),
        // the edit fails with the reason, and with these lines
        Ok(Learnt::NoModel) | Err(_) => {
            let given = sources.values.iter();
            let given = given.map(|(name, value)| format!("\n{name} = {}", as_value(value)));
            let first = if address.is_some() { FIRST_ENTRY } else { "" };
            let text = render(first) + &given.collect::<String>();
            Ok(MachineEntry::Text(text, Vec::new()))
        }
    }
}

/// Describes a value that the user may want to be another.
fn describe(assumed: &Assumption, name: &HostName) -> String {
    let Assumption {
        name: attribute,
        value,
        is_next_number,
    } = assumed;
    let reason = if *is_next_number {
        "the next number"
    } else {
        "that of most machines"
    };
    format!(
        "`{attribute}` of `{name}` is {reason}, `{value}`: `--set {attribute}=VALUE` sets another one"
    )
}

/// Replaces the placeholders that are not the settings': `{vmid}` by `--set vmid=…`, and
/// `{next:vmid}` by the next number of the map.
fn fill_own(text: &str, sources: &Sources, settings: &Settings) -> Result<MachineEntry, Failure> {
    let file = settings.paths.vms.as_str();
    let vms = sources.vms.as_deref().unwrap_or_default();
    let mut filled = String::new();
    let mut missing = Vec::new();
    let mut rest = text;
    while let Some((before, word, after)) = next_placeholder(rest) {
        let attribute = word.strip_prefix("next:");
        let next = attribute
            .map(|attribute| vms::next_number(vms, &sources.vms_place, attribute))
            .transpose()
            .map_err(|error| edit_failure(file, &error))?
            .flatten();
        let attribute = attribute.unwrap_or(word);
        let given = sources.values.get(attribute).cloned();
        match given.or_else(|| next.map(|number| number.to_string())) {
            Some(value) => filled.extend([before, &value]),
            None => missing.push(MissingValue {
                name: attribute.to_owned(),
                example: "VALUE".to_owned(),
            }),
        }
        rest = after;
    }
    if missing.is_empty() {
        Ok(MachineEntry::Text(filled + rest, Vec::new()))
    } else {
        Ok(MachineEntry::Missing(missing))
    }
}

/// Splits a text at the next `{word}` or `{next:word}`, which is neither HCL nor a template of it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(start) = text[from..].find('{').map(|start| from + start) {
        let (word, after) = text[start + 1..].split_once('}')?;
        let name = word.strip_prefix("next:").unwrap_or(word);
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        let is_template = text[..start].ends_with(['$', '%']);
        if !is_template && !name.is_empty() && name.chars().all(letter) {
            return Some((&text[..start], word, after));
        }
        from = start + 1;
    }
    None
}

/// Returns the question for the values that are missing, and the flags that give them.
pub(super) fn ask_for_values(
    name: &HostName,
    file: &str,
    missing: &[MissingValue],
) -> (String, String) {
    let names: Vec<String> = missing
        .iter()
        .map(|value| format!("`{}`", value.name))
        .collect();
    let flag = |value: &MissingValue| match value.name.as_str() {
        "ip" => format!("--ip {}", value.example),
        name => format!("--set {name}={}", shell_word(&value.example)),
    };
    let flags: Vec<String> = missing.iter().map(flag).collect();
    let problem = format!(
        "the entry of `{name}` in `{file}` needs values that differ among its machines: {}",
        names.join(", ")
    );
    let way = format!(
        "give them: `{}`; or set the whole entry with `vm_entry` under `[text]` in `{SETTINGS_FILE}`",
        flags.join(" ")
    );
    (problem, way)
}

/// Returns a number or a truth value as it is, and any other text quoted.
fn as_value(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text);
    if value.is_ok_and(|value| value.is_number() || value.is_boolean()) {
        return text.to_owned();
    }
    format!("\"{text}\"")
}
