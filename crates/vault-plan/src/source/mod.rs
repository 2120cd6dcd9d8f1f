//! Where the declarations come from.

mod file;
mod flake;

use std::collections::BTreeMap;

use cli::Failure;
use delivery::Declarations;

use crate::{cli::Arguments, host::Host};

/// The hosts that the command line asks for, by name.
pub(crate) fn hosts(arguments: &Arguments) -> Result<Vec<Host>, Failure> {
    let declared = if arguments.declarations.is_empty() {
        flake::declarations(&arguments.flake, &arguments.hosts)?
    } else {
        let declared = file::declarations(&arguments.declarations)?;
        chosen(declared, &arguments.hosts)?
    };
    let hosts = declared.into_iter();
    hosts
        .map(|(name, declared)| Host::new(name, declared))
        .collect()
}

type ByHost = BTreeMap<String, Declarations>;

fn chosen(mut declared: ByHost, asked: &[String]) -> Result<ByHost, Failure> {
    if let Some(name) = asked.iter().find(|name| !declared.contains_key(*name)) {
        return Err(unknown(name, "in the files", declared.keys()));
    }
    declared.retain(|name, _| asked.is_empty() || asked.contains(name));
    Ok(declared)
}

fn unknown<'a>(name: &str, place: &str, known: impl IntoIterator<Item = &'a String>) -> Failure {
    let known: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    let failure = Failure::usage(format_args!("there is no host `{name}` {place}"));
    match known.as_slice() {
        [] => failure,
        [one] => failure.hint(format!("there is {one}")),
        known => failure.hint(format!("there are {}", known.join(", "))),
    }
}

/// The declarations of several hosts, out of one JSON value for each.
fn understood(
    values: impl IntoIterator<Item = (String, serde_json::Value)>,
) -> Result<ByHost, Failure> {
    let hosts = values.into_iter().map(|(name, value)| {
        let declared = serde_json::from_value(value).map_err(|error| {
            Failure::usage(format_args!("the declarations of host `{name}`: {error}"))
        })?;
        Ok((name, declared))
    });
    hosts.collect()
}
