//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use cli::ConnectionArgs;
use delivery::{FileMode, Login, SecretPath};

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
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub deadline: Duration,

    /// Turn to the cached copy after this long
    #[arg(long, value_name = "TIME", default_value = "800ms", value_parser = humantime::parse_duration)]
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
    /// Inside the request only (OpenBao 2.4 and later)
    Inline,
    /// With a login first: two requests
    Login,
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
Examples:
  vault-fetch hosts/web01/db /run/secrets/db --owner postgres
  vault-fetch hosts/web01/tls /run/secrets/tls --cache-dir /var/lib/vault/cache/tls --mode 0440

Exit status: 0 written, fresh or from the cache; 1 not written; 2 wrong usage or configuration.";
