//! The configuration file.

use std::{ops::RangeInclusive, path::Path, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;
use zts_cli::{ConnectionArgs, Failure, KeyFile, unusable};
use zts_openbao::{Address, Settings};

use crate::{
    Arguments,
    log::Level,
    shares::{KeyShares, refuse_readers},
};

/// The time limits for a request to a node and for its connection.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The allowed values of `probe_interval`, in seconds.
const PROBE_INTERVALS: RangeInclusive<u64> = 1..=3600;

/// The JSON file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigurationFile {
    #[serde(default)]
    log_level: Level,
    #[serde(default = "default_probe_interval")]
    probe_interval: u64,
    nodes: Vec<String>,
    #[serde(default)]
    unseal_keys: Vec<SecretString>,
}

fn default_probe_interval() -> u64 {
    5
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The lowest level of log lines.
    pub(crate) log_level: Level,
    /// The time between two probes of a node.
    pub(crate) probe_interval: Duration,
    /// The connection settings of each node.
    pub(crate) nodes: Vec<Settings>,
    /// The key shares.
    pub(crate) shares: Arc<KeyShares>,
}

impl Configuration {
    /// Reads the file and all sources of key shares.
    ///
    /// # Errors
    /// A file that cannot be read, or a value that is not valid.
    pub(crate) fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let path = &arguments.config;
        let on_disk = KeyFile::read(path)?;
        let file = parse(path, on_disk.content())?;
        if !file.unseal_keys.is_empty() && !arguments.allow_readable_key_files {
            refuse_readers(&on_disk)?;
        }
        if file.nodes.is_empty() {
            return Err(unusable(path, "`nodes` is empty").hint("name at least one node's URL"));
        }
        if !PROBE_INTERVALS.contains(&file.probe_interval) {
            let given = file.probe_interval;
            return Err(
                unusable(path, format!("`probe_interval` is {given}")).hint("1 to 3600 seconds")
            );
        }
        let shares = KeyShares::collect(
            file.unseal_keys,
            path,
            &arguments.unseal_key_file,
            arguments.allow_readable_key_files,
            std::env::var_os("CREDENTIALS_DIRECTORY").as_deref(),
        )?;
        Ok(Self {
            log_level: file.log_level,
            probe_interval: Duration::from_secs(file.probe_interval),
            nodes: node_settings(arguments, &file.nodes)?,
            shares: Arc::new(shares),
        })
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<ConfigurationFile, Failure> {
    serde_json::from_slice(text).map_err(|cause| {
        let why = describe_error(&cause);
        unusable(path, format!("it is not understood: {why}")).hint(
            "JSON with log_level, probe_interval, nodes and unseal_keys: see `vault-unseal --help`",
        )
    })
}

/// The longest JSON key that a message repeats, in bytes: shorter than any key share.
const MAX_SHOWN_NAME: usize = 20;

/// Describes the error without the value, which may be a key share in the wrong place, also as a
/// JSON key.
fn describe_error(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let about_names = ["unknown field", "missing field", "duplicate field"];
    let name = text.split('`').nth(1).unwrap_or_default();
    if !cause.is_data()
        || name.len() <= MAX_SHOWN_NAME && about_names.iter().any(|start| text.starts_with(start))
    {
        return text;
    }
    let (line, column) = (cause.line(), cause.column());
    format!(
        "the value that ends at line {line} column {column} is not valid for its key: log_level is \
         `error`, `warn`, `info`, `debug` or `trace`, probe_interval a whole number, nodes and \
         unseal_keys are lists of texts"
    )
}

/// Returns settings for each node, so that no other node answers a probe of it.
fn node_settings(arguments: &Arguments, urls: &[String]) -> Result<Vec<Settings>, Failure> {
    let mut list = Vec::new();
    for url in urls {
        list.extend(Address::parse_list(url).map_err(|cause| {
            unusable(&arguments.config, format!("`nodes`: {cause}"))
                .hint("an address reads `https://10.0.0.5:8200`")
        })?);
    }
    list.sort_by_key(ToString::to_string);
    list.dedup_by_key(|address| address.to_string());
    let connection = ConnectionArgs {
        address: Some(urls.join(",")),
        ca_certificate: arguments.ca_certificate.clone(),
        skip_verify: arguments.skip_verify,
        namespace: None,
    };
    let common = connection.settings(None)?;
    let settings = |address| Settings {
        addresses: vec![address],
        namespace: None, // the root namespace has the API for unsealing
        connect_timeout: CONNECT_TIMEOUT,
        request_timeout: REQUEST_TIMEOUT,
        ..common.clone()
    };
    Ok(list.into_iter().map(settings).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    const SHARE: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

    /// Returns configurations with a key share in a wrong place: as a value, in a list, or as a
    /// key.
    fn misplaced_share() -> impl Strategy<Value = Value> {
        let keys = [
            "log_level",
            "probe_interval",
            "nodes",
            "unseal_keys",
            "other",
        ];
        let value = prop_oneof![
            Just(json!(SHARE)),
            Just(json!([[SHARE]])),
            Just(json!({ SHARE: SHARE })),
            Just(json!([{ "key": SHARE }])),
            any::<i64>().prop_map(Value::from),
            ".{0,10}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            prop::sample::select(keys.to_vec()).prop_map(str::to_owned),
            Just(SHARE.to_owned()),
        ];
        prop::collection::vec((key, value), 0..6)
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>()))
    }

    proptest! {
        #[test]
        fn no_message_shows_a_key_share(configuration in misplaced_share(), cut in 0_usize..400) {
            let text = configuration.to_string();
            let end = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            for text in [&text, &text[..end.unwrap_or(0)]] {
                if let Err(failure) = parse(Path::new("config.json"), text.as_bytes()) {
                    prop_assert!(!failure.message().contains("c0ffee"), "{}", failure.message());
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Path::new("config.json"), &bytes);
        }
    }
}
