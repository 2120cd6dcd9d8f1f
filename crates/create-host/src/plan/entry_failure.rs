//! The reasons not to add an entry to the flake, and the ways out.

use zts_cli::Failure;
use zts_infra_edit::{Error, FileError, nix, vms::MissingValue};

use crate::{failure::edit_failure, fleet::SETTINGS_FILE, host::HostName};

/// A reason not to add an entry.
pub(super) enum EntryFailure {
    /// Another host has the name, at this place.
    InUse(String),
    /// The entries have too little in common; these are some of them.
    Individual(Failure, Vec<String>),
    /// The hosts are computed.
    Unsupported(Failure),
    /// The entry in this file needs values.
    Values(String, Vec<MissingValue>),
    Other(Failure),
}

impl From<Failure> for EntryFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Refuses a text from the settings that calls a function that the file does not have.
pub(super) fn check_function(
    text: &str,
    source: &str,
    file: &str,
    name: &HostName,
) -> Result<(), Failure> {
    let Ok(Some(function)) = nix::undefined_function(source, text) else {
        return Ok(());
    };
    let failure = Failure::usage(format_args!(
        "`{file}` has no `{function}`, which the entry of `{name}` calls"
    ));
    Err(failure.hint(
        "set the expression that makes a host in this flake with `flake_entry` under `[text]` in `fleet.toml`",
    ))
}

pub(super) fn explain_failure(failure: FileError) -> EntryFailure {
    let FileError { file, error } = failure;
    match &error {
        Error::Exists { position, .. } => {
            EntryFailure::InUse(format!("`{file}`, {position}, has a host of this name"))
        }
        Error::Invalid { .. } => invalid_entry(&error, "flake_entry").into(),
        Error::Values { values, .. } => EntryFailure::Values(file, values.clone()),
        Error::Unsupported { .. } => {
            EntryFailure::Unsupported(unsupported_flake(edit_failure(&file, &error)))
        }
        Error::Individual { candidates, .. } => EntryFailure::Individual(
            edit_failure(&file, &error).hint(show_candidates(candidates)),
            candidates.clone(),
        ),
        _ => edit_failure(&file, &error).into(),
    }
}

/// Returns the setting that replaces learning, with texts of present hosts.
fn show_candidates(candidates: &[String]) -> String {
    let instruction = format!("set the text of new entries under `[text]` in `{SETTINGS_FILE}`");
    let texts: Vec<String> = candidates
        .iter()
        .map(|text| format!("flake_entry = '''\n{text}\n'''"))
        .collect();
    match texts.as_slice() {
        [] => format!("{instruction}, such as `flake_entry = 'mkHost \"{{hostname}}\"'`"),
        texts => format!(
            "{instruction}; the present hosts have, with `{{hostname}}` for the name:\n\n{}",
            texts.join("\n\n")
        ),
    }
}

pub(super) fn invalid_entry(error: &Error, key: &str) -> Failure {
    Failure::usage(error).hint(format!(
        "it is set with `{key}` under `[text]` in `fleet.toml`"
    ))
}

/// Adds the way without an edit: a flake that finds its hosts by itself.
fn unsupported_flake(failure: Failure) -> Failure {
    let hint = failure.hint_text().unwrap_or_default();
    let has_next_step = ["the same command again", "--enroll"];
    if has_next_step.iter().any(|step| hint.contains(step)) {
        return failure;
    }
    let hint = format!(
        "{hint}\n\nthen run the same command again; if the flake finds its hosts by itself, set \
         `flake_entry = \"\"` under `[text]` in `fleet.toml`"
    );
    failure.hint(hint)
}
