//! What the program is told to watch.

use std::{ops::RangeInclusive, path::Path, sync::Arc, time::Duration};

use cli::{ConnectionArgs, Failure, KeyFile, unusable};
use openbao::{Address, Settings};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Arguments,
    log::Level,
    shares::{READERS, Shares},
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
        if !file.unseal_keys.is_empty() {
            on_disk.refuse_readers(READERS)?;
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

/// What is wrong with the text, never what stands there: that may be a key share in the wrong place.
fn explain(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let about_names = ["unknown field", "missing field", "duplicate field"];
    if !cause.is_data() || about_names.iter().any(|start| text.starts_with(start)) {
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
