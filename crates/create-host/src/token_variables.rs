//! The file with the wrapping tokens as a variable of OpenTofu, beside the machine map. Git ignores
//! it.

use std::{collections::BTreeMap, path::Path};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zts_cli::Failure;

use crate::{change::FileChange, fleet::Fleet, git, host::HostName, write::write_changes};

/// The name of the file. OpenTofu reads files of this form by itself.
const FILE: &str = "wrapping-tokens.auto.tfvars.json";
/// The variable, as a fleet declares it to use the file.
const DECLARATION: &str = "variable \"vault_wrapped_tokens\"";

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variables {
    /// The tokens by host.
    vault_wrapped_tokens: BTreeMap<String, String>,
}

/// Returns the path of the file from the fleet's root; `None` if the fleet has no machine map.
pub(crate) fn path(fleet: &Fleet) -> Option<String> {
    Some(match code_folder(fleet)? {
        "" => FILE.to_owned(),
        folder => format!("{folder}/{FILE}"),
    })
}

/// Returns the folder of OpenTofu's code that reads the machine map.
fn code_folder(fleet: &Fleet) -> Option<&str> {
    let map = fleet.settings.paths.vms.as_str();
    let reader = fleet.settings.vms_reader.as_deref().unwrap_or(map);
    (!map.is_empty()).then(|| reader.rsplit_once('/').map_or("", |(folder, _)| folder))
}

/// Returns whether the OpenTofu code beside the machine map declares the variable.
pub(crate) fn is_declared(fleet: &Fleet) -> Result<bool, Failure> {
    let folder = code_folder(fleet).unwrap_or_default();
    for file in fleet.tree.list_files(folder)? {
        let is_code = Path::new(&file).extension() == Some("tf".as_ref());
        if is_code
            && fleet
                .tree
                .read_text(&file)?
                .is_some_and(|text| text.contains(DECLARATION))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the token of a host.
pub(crate) fn read_token(fleet: &Fleet, name: &HostName) -> Result<Option<SecretString>, Failure> {
    let token = read(fleet)?.1.vault_wrapped_tokens.remove(name.as_str());
    Ok(token.map(SecretString::from))
}

/// Checks that a token can be written, before one is issued.
pub(crate) fn check_place(fleet: &Fleet) -> Result<(), Failure> {
    read(fleet)?;
    let file = path(fleet).unwrap_or_default();
    if git::is_tracked(fleet.tree.root(), &file) {
        return Err(Failure::usage(format_args!(
            "git tracks `{file}`, the file of the wrapping tokens"
        ))
        .hint(format!(
            "`git rm --cached {file}` takes it out of git, and leaves it here"
        )));
    }
    Ok(())
}

/// Writes the token of a host.
pub(crate) fn write_token(
    fleet: &Fleet,
    name: &HostName,
    token: &SecretString,
) -> Result<(), Failure> {
    let (before, mut variables) = read(fleet)?;
    let token = token.expose_secret().to_owned();
    variables
        .vault_wrapped_tokens
        .insert(name.to_string(), token);
    git::exclude_pattern(fleet.tree.root(), FILE)?;
    let change = change(fleet, before, &variables);
    write_changes(&fleet.tree, &[change], &[&path(fleet).unwrap_or_default()])
}

/// Returns the change that removes the token of a host, if it has one. A file without tokens goes.
pub(crate) fn plan_removal(fleet: &Fleet, name: &HostName) -> Result<Option<FileChange>, Failure> {
    let (before, mut variables) = read(fleet)?;
    let removed = variables.vault_wrapped_tokens.remove(name.as_str());
    Ok(removed.map(|_| change(fleet, before, &variables)))
}

fn change(fleet: &Fleet, before: Option<String>, variables: &Variables) -> FileChange {
    let text = serde_json::to_string_pretty(variables).unwrap_or_default();
    FileChange {
        path: path(fleet).unwrap_or_default(),
        before: before.map(String::into_bytes),
        after: (!variables.vault_wrapped_tokens.is_empty()).then(|| (text + "\n").into_bytes()),
    }
}

/// Reads the file, with its text.
fn read(fleet: &Fleet) -> Result<(Option<String>, Variables), Failure> {
    let Some(file) = path(fleet) else {
        return Ok(Default::default());
    };
    let Some(text) = fleet.tree.read_text(&file)? else {
        return Ok(Default::default());
    };
    let variables = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::failed(format_args!(
            "`{file}`, line {line}, column {column}, is not as create-host writes it"
        ))
        .hint("move other variables to another file, then delete this one")
    })?;
    Ok((Some(text), variables))
}
