//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use cli::ConnectionArgs;
use delivery::{FileMode, Login, Seal, SecretPath};

/// Fetch a secret from OpenBao and write each of its keys to a file
///
/// The files appear in OUTPUT_DIR all at once: a reader sees the old set or the new one. Strings are
/// written as they are, other JSON as JSON. Keys that are gone from the secret are gone from the
/// directory. Where OpenBao cannot be used and `--cache-dir` holds an earlier copy, that is written,
/// with a warning.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// The secret's path in the KV mount, such as hosts/web01/db
    #[arg(value_name = "SECRET_PATH")]
    pub secret: SecretPath,

    /// The directory that gets the files; it is replaced as a whole
    #[arg(value_name = "OUTPUT_DIR")]
    pub output: PathBuf,

    /// Where vault-unwrap put `role-id` and `secret-id`
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vault/approle")]
    pub approle_dir: PathBuf,

    /// Keep a copy here for the day OpenBao cannot be used
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
    #[arg(long, value_name = "TIME", value_parser = ::cli::duration, requires = "cache_dir")]
    pub max_cache_age: Option<Duration>,

    /// Refuse the secret when this key is missing or empty; may be repeated
    #[arg(long, value_name = "KEY")]
    pub require: Vec<String>,

    /// Also write FILE to OUTPUT_DIR/NAME with the keys that it names filled in; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = template)]
    pub template: Vec<(String, PathBuf)>,

    /// Also write all keys to OUTPUT_DIR/NAME, as systemd's `EnvironmentFile=` reads them
    #[arg(long, value_name = "NAME")]
    pub environment_file: Option<String>,

    /// Refuse what systemd does not take where services get the files as `LoadCredential=ID:OUTPUT_DIR`
    #[arg(long, value_name = "ID")]
    pub as_credential: Option<String>,

    /// Who owns the files: a name or a number [default: whoever runs this]
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,

    /// Which group the files have: a name or a number [default: that of whoever runs this]
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,

    /// The files' mode, in octal
    #[arg(long, value_name = "MODE", default_value = "0400")]
    pub mode: FileMode,

    /// Give up after this long when there is no cached copy
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = ::cli::duration)]
    pub deadline: Duration,

    /// Turn to the cached copy after this long
    #[arg(long, value_name = "TIME", default_value = "800ms", value_parser = ::cli::duration)]
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

    /// How to log in
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "OpenBao"
    )]
    pub authentication: How,

    /// How to reach OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// Inside the request; a server that does not know that gets a login first
    Auto,
    /// Inside the request only (OpenBao 2.4 and later; sound from 2.6.2)
    Inline,
    /// With a login first: two requests
    Login,
}

/// When a copy is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SealCache {
    /// Where this machine can; else with a warning, and the copy is kept as it is
    Auto,
    /// A copy that cannot be sealed is not kept
    Always,
    /// The copy is kept as it is, readable by root only
    Never,
}

impl From<SealCache> for Seal {
    fn from(when: SealCache) -> Self {
        match when {
            SealCache::Auto => Self::Auto,
            SealCache::Always => Self::Always,
            SealCache::Never => Self::Never,
        }
    }
}

/// `NAME=FILE`; which names are good is not the command line's affair.
fn template(text: &str) -> Result<(String, PathBuf), &'static str> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.into()))
        }
        _ => Err("a template is given as `NAME=FILE`, such as `app.conf=/etc/app/app.conf.in`"),
    }
}

impl From<How> for Login {
    fn from(how: How) -> Self {
        match how {
            How::Auto => Self::Auto,
            How::Inline => Self::Inline,
            How::Login => Self::First,
        }
    }
}

const EXAMPLES: &str = "\
Placeholders in templates:
  {{ key }}           the value of a key, which must be there: a string as it is, other JSON as JSON
  {{ key | json }}    as JSON: a string with its quotes
  {{ key | url }}     percent-encoded, for any part of a URL
  {{ key | base64 }}  in base64
  {{ \"{{\" }}          the text between the quotes

Examples:
  vault-fetch hosts/web01/db /run/secrets/db --owner postgres
  vault-fetch hosts/web01/tls /run/secrets/tls --cache-dir /var/lib/vault/cache/tls --mode 0440
  vault-fetch hosts/web01/app /run/secrets/app --require password --environment-file env
  vault-fetch hosts/web01/app /run/secrets/app --template app.conf=/etc/app/app.conf.in

Exit status: 0 written, fresh or from the cache; 1 not written; 2 wrong usage or configuration.";
