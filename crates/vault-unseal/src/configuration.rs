//! What the program is told to watch.

use std::{ops::RangeInclusive, path::Path, sync::Arc, time::Duration};

use cli::{ConnectionArgs, Failure, KeyFile, unusable};
use openbao::{Address, Settings};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Arguments,
    log::Level,
    shares::{Shares, refuse_readers},
};

/// How long one request to a node may take, and its connection.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);
/// What `probe_interval` may be, in seconds.
const INTERVALS: RangeInclusive<u64> = 1..=3600;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    log_level: Level,
    #[serde(default = "five_seconds")]
    probe_interval: u64,
    nodes: Vec<String>,
    #[serde(default)]
    unseal_keys: Vec<SecretString>,
}

fn five_seconds() -> u64 {
    5
}

/// What the program is told, checked.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// How much it says.
    pub(crate) log_level: Level,
    /// How long lies between two looks at a node.
    pub(crate) probe_interval: Duration,
    /// How to reach each node.
    pub(crate) nodes: Vec<Settings>,
    /// The key shares.
    pub(crate) shares: Arc<Shares>,
}

impl Configuration {
    /// Reads the file and all sources of key shares.
    ///
    /// # Errors
    /// What of it cannot be read or makes no sense.
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
        if !INTERVALS.contains(&file.probe_interval) {
            let given = file.probe_interval;
            return Err(
                unusable(path, format!("`probe_interval` is {given}")).hint("1 to 3600 seconds")
            );
        }
        let shares = Shares::collect(
            file.unseal_keys,
            path,
            &arguments.unseal_key_file,
            arguments.allow_readable_key_files,
            std::env::var_os("CREDENTIALS_DIRECTORY").as_deref(),
        )?;
        Ok(Self {
            log_level: file.log_level,
            probe_interval: Duration::from_secs(file.probe_interval),
            nodes: nodes(arguments, &file.nodes)?,
            shares: Arc::new(shares),
        })
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<File, Failure> {
    serde_json::from_slice(text).map_err(|cause| {
        let why = explain(&cause);
        unusable(path, format!("it is not understood: {why}")).hint(
            "JSON with log_level, probe_interval, nodes and unseal_keys: see `vault-unseal --help`",
        )
    })
}

/// The longest name of a key that is repeated in a message: shorter than any key share.
const LONGEST_NAME: usize = 20;

/// What is wrong with the text, never what stands there: that may be a key share in the wrong place,
/// also as the name of a key.
fn explain(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let about_names = ["unknown field", "missing field", "duplicate field"];
    let name = text.split('`').nth(1).unwrap_or_default();
    if !cause.is_data()
        || name.len() <= LONGEST_NAME && about_names.iter().any(|start| text.starts_with(start))
    {
        return text;
    }
    let (line, column) = (cause.line(), cause.column());
    format!(
        "the value that ends at line {line} column {column} is none that its key takes: log_level is \
         `error`, `warn`, `info`, `debug` or `trace`, probe_interval a whole number, nodes and \
         unseal_keys are lists of texts"
    )
}

/// One client's settings for each node: a look at one must not be answered by another.
fn nodes(arguments: &Arguments, urls: &[String]) -> Result<Vec<Settings>, Failure> {
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
        namespace: None, // unsealing is the root namespace's
        connect_timeout: CONNECT,
        request_timeout: PATIENCE,
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

    /// A configuration with a key share where none belongs: as a value, in a list, or as a key.
    fn misplaced() -> impl Strategy<Value = Value> {
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
        fn no_message_shows_a_key_share(configuration in misplaced(), cut in 0_usize..400) {
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
