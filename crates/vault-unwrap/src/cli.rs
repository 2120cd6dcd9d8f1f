//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use zts_cli::ConnectionArgs;

/// Trade the single-use wrapping token of a new host for its AppRole credentials
///
/// The token comes from the first of these that exists: the files of `--token-file`, the credential
/// of `--credential`, BAO_WRAPPED_TOKEN or VAULT_WRAPPED_TOKEN, that line of the environment file.
/// Before it is used it is looked up: a token that create-host did not issue is refused. Does
/// nothing if the credentials exist and work, unless this host never tried the token: then it is
/// newer, and its credentials replace the old ones.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// The directory for `role-id` and `secret-id`
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vault/approle")]
    pub approle_dir: PathBuf,

    /// Read the wrapping token from this file, if it exists; it is removed once the token is used.
    /// Can be given more than once
    #[arg(long, value_name = "FILE")]
    pub token_file: Vec<PathBuf>,

    /// Read the wrapping token from this systemd credential (ImportCredential=, LoadCredential=),
    /// if it was passed
    #[arg(long, value_name = "NAME")]
    pub credential: Option<String>,

    /// The file into which cloud-init wrote the token; the line is removed once the token is used
    #[arg(long, value_name = "FILE", default_value = "/etc/environment")]
    pub environment_file: PathBuf,

    /// Refuse a token that was created at another API path
    #[arg(long, value_name = "PATH", default_value = "sys/wrapping/wrap")]
    pub creation_path: String,

    /// The mount of the AppRole auth method
    #[arg(
        long,
        value_name = "MOUNT",
        default_value = "approle",
        help_heading = "OpenBao"
    )]
    pub approle_mount: String,

    /// Retry for this long while no server can be used
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = zts_cli::duration)]
    pub deadline: Duration,

    /// Report a failure, but exit with status 0, so that the host boots
    #[arg(long)]
    pub best_effort: bool,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const EXAMPLES: &str = "\
Examples:
  vault-unwrap          # with /etc/environment, as cloud-init wrote it
  vault-unwrap --token-file /root/wrapping-token --address https://10.0.0.5:8200

Exit status: 0 the host has credentials; 1 it has none; 2 wrong usage or configuration.
With --best-effort: 0, or 2 for wrong usage.";
