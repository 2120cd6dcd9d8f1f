//! The text of a machine's new entry: that of the settings, else learnt from the other machines.

use std::collections::BTreeSet;

use zts_cli::shell_word;
use zts_infra_edit::vms::{self, Learnt, MissingValue, NewMachine};

use super::{
    flake::{names_in_flake, quote},
    flake_notes::describe_assumption,
    own_values::names_elsewhere,
    sources::Sources,
};
use crate::{
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
) -> MachineEntry {
    let vms = sources.vms.as_deref().unwrap_or_default();
    let render =
        |text: &str| Placeholders::BRACES.fill(text, values, |servers| quote(servers, ", "));
    let text = settings.text.vm_entry.as_str();
    if !text.trim().is_empty() {
        return MachineEntry::Text(render(text), Vec::new()); // its values were asked for before
    }
    let address = address.map(|address| address.to_string());
    let mut elsewhere = names_elsewhere(sources, settings);
    elsewhere.extend(names_in_flake(name, address.as_deref(), sources, settings));
    let new = NewMachine {
        host: name.as_str(),
        address: address.as_deref(),
        values: &sources.values,
        elsewhere: &elsewhere,
        like: &[],
        joins_lists: false,
    };
    let learnt = vms::learn_entry(vms, &sources.vms_place, &new);
    match learnt {
        Ok(Learnt::Body(body, assumed)) => {
            let notes = assumed.iter();
            let notes = notes.map(|value| describe_assumption(value, name, "machines"));
            MachineEntry::Text(body, notes.collect())
        }
        Ok(Learnt::Missing(missing)) => MachineEntry::Missing(missing),
        // the edit fails with the reason, and with these lines
        Ok(Learnt::NoModel) | Err(_) => {
            let first = if address.is_some() { FIRST_ENTRY } else { "" };
            let text = render(first) + &given_lines(sources, &elsewhere);
            MachineEntry::Text(text, Vec::new())
        }
    }
}

/// Returns the lines with the given values that are of the machine.
fn given_lines(sources: &Sources, elsewhere: &BTreeSet<String>) -> String {
    let given = sources.values.iter();
    let given = given.filter(|(name, _)| !elsewhere.contains(*name));
    let lines = given.map(|(name, value)| format!("\n{name} = {}", as_value(value)));
    lines.collect::<Vec<_>>().concat()
}

/// Returns the question for the values of a machine that are missing, and the flags that give them.
pub(super) fn ask_for_machine_values(
    name: &HostName,
    file: &str,
    missing: &[MissingValue],
) -> (String, String) {
    let (problem, way) = ask_for_values(name, file, missing, "machines");
    let entry = format!("set the whole entry with `vm_entry` under `[text]` in `{SETTINGS_FILE}`");
    (problem, format!("{way}; or {entry}"))
}

/// Returns the question for the values that are missing, and the flags that give them. `others` are
/// those that the values differ among.
pub(super) fn ask_for_values(
    name: &HostName,
    file: &str,
    missing: &[MissingValue],
    others: &str,
) -> (String, String) {
    let names: Vec<String> = missing.iter().map(describe_missing).collect();
    let flag = |value: &MissingValue| match value.name.as_str() {
        "ip" => format!("--ip {}", value.example),
        name => format!("--set {name}={}", shell_word(&value.example)),
    };
    let flags: Vec<String> = missing.iter().map(flag).collect();
    let problem = format!(
        "the entry of `{name}` in `{file}` needs values that differ among its {others}: {}",
        names.join(", ")
    );
    (problem, format!("give them: `{}`", flags.join(" ")))
}

/// Returns the name of a value, and those of its values that other hosts have, if each has its own.
fn describe_missing(value: &MissingValue) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = value
        .others
        .iter()
        .take(SHOWN)
        .map(|other| format!("`{}`", shorten(other)))
        .collect();
    let more = if value.others.len() > SHOWN {
        ", …"
    } else {
        ""
    };
    let name = &value.name;
    if shown.is_empty() {
        format!("`{name}`")
    } else {
        format!("`{name}` (such as {}{more})", shown.join(", "))
    }
}

/// Returns the beginning of a long value, such as a key.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 30;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(LONGEST).collect();
    format!("{beginning}…")
}

/// Returns a number or a truth value as it is, and any other text quoted.
fn as_value(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text);
    if value.is_ok_and(|value| value.is_number() || value.is_boolean()) {
        return text.to_owned();
    }
    format!("\"{text}\"")
}
