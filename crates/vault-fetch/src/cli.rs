//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use zts_cli::ConnectionArgs;
use zts_delivery::{FileMode, LoginMode, SealPolicy, SecretPath};

use crate::source::SourceArgs;

/// Fetch a secret from OpenBao and write each of its keys to a file
///
/// The files appear in OUTPUT_DIR all at once: a reader sees the old set or the new one. Strings
/// are written as they are, other JSON as JSON. Keys that are gone from the secret are gone from
/// the directory. Where OpenBao cannot be used and `--cache-dir` holds an earlier copy, that is
/// written, with a warning.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// The secret's path in the KV mount, such as hosts/web01/db; see --source for others
    #[arg(value_name = "SECRET_PATH")]
    pub secret: SecretPath,

    /// Read this version, such as 7, and no newer one
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub secret_version: Option<u64>,

    /// The directory that gets the files; it is replaced as a whole
    #[arg(value_name = "OUTPUT_DIR")]
    pub output: PathBuf,

    /// The directory with `role-id` and `secret-id`, which vault-unwrap writes
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vault/approle")]
    pub approle_dir: PathBuf,

    /// The notes about OpenBao that all secrets of this host share, such as the number of refused
    /// logins [default: /run/vault-fetch for root, else hidden files beside OUTPUT_DIR]
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,

    /// Store a copy here, to use when OpenBao is unavailable
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    /// Seal the copy to this machine with systemd-creds, which uses its TPM where it has one
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "never",
        requires = "cache_dir"
    )]
    pub seal_cache: SealCache,

    /// Do not use a copy that OpenBao confirmed longer ago than this, such as 7d
    #[arg(long, value_name = "TIME", value_parser = zts_cli::duration, requires = "cache_dir")]
    pub max_cache_age: Option<Duration>,

    /// Refuse the secret when this key is missing or empty; may be repeated
    #[arg(long, value_name = "KEY")]
    pub require: Vec<String>,

    /// Decode the value of this key, such as `keystore.p12=base64`; may be repeated
    ///
    /// Its file then has the decoded bytes. The environment and JSON files have the value as it is
    /// in OpenBao. The key is required.
    #[arg(long, value_name = "KEY=ENCODING", value_parser = base64_key)]
    pub encoding: Vec<String>,

    /// Also write FILE to OUTPUT_DIR/NAME with the keys that it names filled in; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = template)]
    pub template: Vec<(String, PathBuf)>,

    /// A key that the template NAME of several secrets needs, with its filter; may be repeated
    ///
    /// The key is required. `vault-secrets render` makes the template's file.
    #[arg(long, value_name = "NAME=KEY", value_parser = template_key)]
    pub template_key: Vec<(String, String)>,

    /// Also write all keys to OUTPUT_DIR/NAME, as systemd's `EnvironmentFile=` reads them
    #[arg(long, value_name = "NAME")]
    pub environment_file: Option<String>,

    /// Also write all keys to OUTPUT_DIR/NAME, as one JSON object
    #[arg(long, value_name = "NAME")]
    pub json_file: Option<String>,

    /// Refuse files that systemd does not accept as `LoadCredential=ID:OUTPUT_DIR`
    #[arg(long, value_name = "ID")]
    pub as_credential: Option<String>,

    /// A unit that uses the secret; may be repeated
    ///
    /// With any, a version that is new to this host is unproven until `vault-secrets` finds that
    /// its services have come up with it. Until then the copy of the version before it is kept, to
    /// roll back to.
    #[arg(long, value_name = "UNIT")]
    pub service: Vec<String>,

    /// The owner of the files: a name or a number [default: the user of this process]
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,

    /// The group of the files: a name or a number [default: the group of this process]
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,

    /// The mode of the files, in octal
    #[arg(long, value_name = "MODE", default_value = "0400")]
    pub mode: FileMode,

    /// The owner of a template's file, if it differs; may be repeated
    #[arg(long, value_name = "NAME=USER", value_parser = template_setting, requires = "template")]
    pub template_owner: Vec<(String, String)>,

    /// The group of a template's file, if it differs; may be repeated
    #[arg(long, value_name = "NAME=GROUP", value_parser = template_setting, requires = "template")]
    pub template_group: Vec<(String, String)>,

    /// The mode of a template's file, if it differs; may be repeated
    #[arg(long, value_name = "NAME=MODE", value_parser = template_mode, requires = "template")]
    pub template_mode: Vec<(String, FileMode)>,

    /// The declarations of this host
    ///
    /// A secret that they no longer contain at the end of the fetch is removed from this host.
    #[arg(long, value_name = "FILE", default_value = zts_delivery::DECLARATIONS)]
    pub declarations: PathBuf,

    /// The time limit without a cached copy
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = zts_cli::duration)]
    pub deadline: Duration,

    /// The time after which the cached copy is used
    #[arg(long, value_name = "TIME", default_value = "800ms", value_parser = zts_cli::duration)]
    pub cached_deadline: Duration,

    /// The mount of the KV version 2 engine
    #[arg(
        long,
        value_name = "MOUNT",
        default_value = "secret",
        help_heading = "OpenBao"
    )]
    pub kv_mount: SecretPath,

    /// The mount of the AppRole auth method
    #[arg(
        long,
        value_name = "MOUNT",
        default_value = "approle",
        help_heading = "OpenBao"
    )]
    pub approle_mount: SecretPath,

    /// The way to log in
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "OpenBao"
    )]
    pub authentication: Authentication,

    /// The source of the secret
    #[command(flatten)]
    pub source: SourceArgs,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// The way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Authentication {
    /// Inline authentication, and a login where the server does not support that
    Auto,
    /// Inline authentication only (OpenBao 2.4 and later; secure from 2.6.2)
    Inline,
    /// A login before the read: two requests
    Login,
}

/// The policy for sealing copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SealCache {
    /// Seal if this machine can, and store an unsealed copy with a warning otherwise
    Auto,
    /// Store no copy that cannot be sealed
    Always,
    /// Store unsealed copies, readable by root only
    Never,
}

impl From<SealCache> for SealPolicy {
    fn from(when: SealCache) -> Self {
        match when {
            SealCache::Auto => Self::Auto,
            SealCache::Always => Self::Always,
            SealCache::Never => Self::Never,
        }
    }
}

/// Parses `NAME=FILE`. Names are checked later.
fn template(text: &str) -> Result<(String, PathBuf), &'static str> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.into()))
        }
        _ => Err("a template is given as `NAME=FILE`, such as `app.conf=/etc/app/app.conf.in`"),
    }
}

/// Parses `KEY=base64`, and returns the key, which can have a `=` itself.
fn base64_key(text: &str) -> Result<String, &'static str> {
    match text.rsplit_once('=') {
        Some((key, "base64")) if !key.is_empty() => Ok(key.to_owned()),
        _ => Err("an encoding is given as `KEY=base64`, and there is no other"),
    }
}

/// Parses a template's name and one of its settings.
fn template_setting(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("a setting of a template is given as `NAME=VALUE`, such as `app.conf=app`"),
    }
}

/// Parses the name of a template of several secrets, and a key with or without a filter.
fn template_key(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() => {
            Ok((name.to_owned(), key.to_owned()))
        }
        _ => Err("a key of a template is given as `NAME=KEY` or `NAME=KEY | FILTER`"),
    }
}

fn template_mode(text: &str) -> Result<(String, FileMode), &'static str> {
    let (name, mode) = template_setting(text)?;
    Ok((name, mode.parse()?))
}

impl From<Authentication> for LoginMode {
    fn from(mode: Authentication) -> Self {
        match mode {
            Authentication::Auto => Self::Auto,
            Authentication::Inline => Self::Inline,
            Authentication::Login => Self::TokenFirst,
        }
    }
}

const EXAMPLES: &str = "\
Placeholders in templates:
  {{ key }}           the value of a required key: a string as it is, other JSON as JSON
  {{ key | json }}    as JSON: a string with its quotes
  {{ key | url }}     percent-encoded, for any part of a URL
  {{ key | base64 }}  in Base64
  {{ key | base64decode }}  the bytes of which the value is the Base64
  {{ \"{{\" }}          the text between the quotes

Examples:
  vault-fetch hosts/web01/db /run/secrets/db --owner postgres
  vault-fetch hosts/web01/tls /run/secrets/tls --mode 0440 \\
      --cache-dir /var/lib/vault/cache/tls
  vault-fetch hosts/web01/app /run/secrets/app --require password \\
      --environment-file env
  vault-fetch hosts/web01/app /run/secrets/app \\
      --template app.conf=/etc/app/app.conf.in
  vault-fetch hosts/web01/app /run/secrets/app --json-file all.json
  vault-fetch pki/sign/web /run/secrets/tls --source pki \\
      --common-name web01.example.org
  vault-fetch hosts/web01/app /run/secrets/app \\
      --template app.conf=/etc/app/app.conf.in \\
      --template-owner app.conf=app --template-mode app.conf=0440

Exit status: 0 written, fresh or from the cache; 1 not written; 2 wrong usage or configuration.";
