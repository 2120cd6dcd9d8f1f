//! What the program is told to watch.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use cli::{ConnectionArgs, Failure};
use openbao::{Address, Settings};
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{Arguments, log::Level, shares::Shares};

/// How long one request to a node may take, and its connection.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);

/// The file, as tools of this kind have it.
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
        let file = parse(path)?;
        if !file.unseal_keys.is_empty() {
            refuse_readers(path)?;
        }
        if file.nodes.is_empty() {
            return Err(wrong(path, "`nodes` is empty").hint("name at least one node's URL"));
        }
        if file.probe_interval == 0 {
            return Err(wrong(path, "`probe_interval` is 0").hint("write whole seconds, such as 5"));
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

fn parse(path: &Path) -> Result<File, Failure> {
    let text = fs::read(path)
        .map(Zeroizing::new)
        .map_err(|cause| wrong(path, format!("it could not be read: {cause}")))?;
    serde_json::from_slice(&text).map_err(|cause| {
        wrong(path, format!("it is not understood: {}", shown(&cause))).hint(
            "JSON with log_level, probe_interval, nodes and unseal_keys: see `vault-unseal --help`",
        )
    })
}

/// What is wrong with the file. A text that stands where none is expected may be a key share, and is
/// not shown.
fn shown(cause: &serde_json::Error) -> String {
    let message = cause.to_string();
    if message.contains("string \"") {
        let (line, column) = (cause.line(), cause.column());
        return format!("a text where something else is expected, at line {line} column {column}");
    }
    message
}

/// Key shares in a file that others can read are no secret.
fn refuse_readers(path: &Path) -> Result<(), Failure> {
    let mode = fs::metadata(path)
        .map(|metadata| metadata.permissions().mode())
        .map_err(|cause| wrong(path, format!("it could not be looked at: {cause}")))?;
    if mode.trailing_zeros() >= 6 {
        // no bit of the group's or of others'
        return Ok(());
    }
    let shown = path.display();
    Err(wrong(
        path,
        format!(
            "it holds key shares, and others than its owner may read it (mode {:o})",
            mode & 0o777
        ),
    )
    .hint(format!(
        "`chmod 0600 {shown}`; whoever may have read them: `bao operator rekey`"
    )))
}

/// One client's settings for each node: a look at one must not be answered by another.
fn nodes(arguments: &Arguments, urls: &[String]) -> Result<Vec<Settings>, Failure> {
    let mut list = Vec::new();
    for url in urls {
        for address in Address::parse_list(url).map_err(openbao::Error::from)? {
            list.push(address);
        }
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

pub(crate) fn wrong(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("`{}` cannot be used: {why}", path.display()))
}
