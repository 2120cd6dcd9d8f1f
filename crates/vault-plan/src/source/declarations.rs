//! Declarations of several hosts, and files with them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use zts_cli::{Failure, unknown_host};
use zts_delivery::Declarations;
use zts_secure_fs::read_text_bounded;

/// The largest file in bytes.
const MAX_SIZE: u64 = 256 << 20;

/// The declarations of hosts by name.
pub(super) type ByHost = BTreeMap<String, Declarations>;

/// Reads the hosts of all files.
pub(super) fn read_files(files: &[PathBuf]) -> Result<ByHost, Failure> {
    let mut all = ByHost::new();
    for file in files {
        for (name, declared) in read_file(file)? {
            if all.insert(name.clone(), declared).is_some() {
                return Err(Failure::usage(format_args!(
                    "`{}` declares host `{name}` a second time",
                    file.display()
                )));
            }
        }
    }
    Ok(all)
}

fn read_file(file: &Path) -> Result<ByHost, Failure> {
    // with the same limit
    let path = if file == Path::new("-") {
        Path::new("/dev/stdin")
    } else {
        file
    };
    let text = read_text_bounded(path, MAX_SIZE);
    let text = text.map_err(|cause| {
        Failure::usage(format_args!("could not read `{}`: {cause}", file.display()))
    })?;
    parse(&text).map_err(|failure| {
        failure.context(format_args!(
            "`{}` does not hold declarations of hosts",
            file.display()
        ))
    })
}

/// Parses the declarations of one host, which have a hostname, or those of several by name.
fn parse(text: &str) -> Result<ByHost, Failure> {
    let to_failure = |error: serde_json::Error| Failure::usage(error);
    let values: Map<String, Value> = serde_json::from_str(text).map_err(to_failure)?;
    if !values.get("hostname").is_some_and(Value::is_string) {
        return parse_hosts(values);
    }
    let one: Declarations = serde_json::from_str(text).map_err(to_failure)?;
    Ok(ByHost::from([(one.hostname.clone(), one)]))
}

/// Selects hosts by name; all if there are no names.
pub(super) fn select_hosts(mut declared: ByHost, names: &[String]) -> Result<ByHost, Failure> {
    if let Some(name) = names.iter().find(|name| !declared.contains_key(*name)) {
        return Err(unknown_host(name, "in the files", declared.keys()));
    }
    declared.retain(|name, _| names.is_empty() || names.contains(name));
    Ok(declared)
}

/// Parses the declarations of several hosts, each of which is a JSON value.
pub(super) fn parse_hosts(
    values: impl IntoIterator<Item = (String, Value)>,
) -> Result<ByHost, Failure> {
    let hosts = values.into_iter().map(|(name, value)| {
        let declared = serde_json::from_value(value).map_err(|error| {
            Failure::usage(format_args!("the declarations of host `{name}`: {error}"))
        })?;
        Ok((name, declared))
    });
    hosts.collect()
}
