//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use cli::ConnectionArgs;

/// Trade the single-use wrapping token of a new host for its AppRole credentials
///
/// The token comes from `--token-file`, from `--credential`, from BAO_WRAPPED_TOKEN or
/// VAULT_WRAPPED_TOKEN, or from that line of the environment file. Before it is used it is looked up:
/// one that was not made by create-host is refused. Where credentials are there and still work, there
/// is nothing to do, unless the token is one that this host never tried: then it is newer, and takes
/// their place.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// Where `role-id` and `secret-id` go
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vault/approle")]
    pub approle_dir: PathBuf,

    /// Read the wrapping token from this file
    #[arg(long, value_name = "FILE", conflicts_with = "credential")]
    pub token_file: Option<PathBuf>,

    /// Read the wrapping token from this systemd credential (LoadCredential=)
    #[arg(long, value_name = "NAME")]
    pub credential: Option<String>,

    /// Where cloud-init put the token; the line is taken out once the token is used
    #[arg(long, value_name = "FILE", default_value = "/etc/environment")]
    pub environment_file: PathBuf,

    /// Refuse a token that was made at another API path
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

    /// Go on asking a server that cannot be used for this long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = ::cli::duration)]
    pub deadline: Duration,

    /// Report a failure, but end with status 0: a host must boot whatever happens
    #[arg(long)]
    pub best_effort: bool,

    /// How to reach OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const EXAMPLES: &str = "\
Examples:
  vault-unwrap                          token and address from /etc/environment, as cloud-init left them
  vault-unwrap --token-file /root/wrapping-token --address https://10.0.0.5:8200

Exit status: 0 the credentials are there; 1 they are not; 2 wrong usage or configuration.
With --best-effort: 0, or 2 for wrong usage.";
