//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use cli::ConnectionArgs;

/// Initialise an OpenBao cluster and keep what it answers
///
/// Where the cluster is initialised already, there is nothing to do. The key shares and the root token go
/// to files that only root reads: as they are (`unseal.json`), or each share encrypted to a person.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// Where the key shares and the root token go
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao-init")]
    pub directory: PathBuf,

    /// How many key shares there are
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    pub shares: u8,

    /// How many of them unseal a node
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    pub threshold: u8,

    /// Encrypt a share to this age recipient; as often as there are shares
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "pgp_key")]
    pub age_recipient: Vec<String>,

    /// Encrypt a share to the PGP public key in this file; as often as there are shares
    #[arg(long, value_name = "FILE")]
    pub pgp_key: Vec<PathBuf>,

    /// Encrypt the root token: to an age recipient, or with `--pgp-key` to the key in
    /// this file. It cannot be revoked from here then
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "revoke_root_token")]
    pub root_token_recipient: Option<String>,

    /// Revoke the root token in the end, once the node is unsealed. Where nobody else can log in then, the
    /// key shares make another one only while a listener of OpenBao has
    /// `disable_unauthed_generate_root_endpoints = false` (docs/how-to/no-token.md)
    #[arg(long)]
    pub revoke_root_token: bool,

    /// Wait so long for the server to answer, and to be unsealed where that is needed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = ::cli::duration)]
    pub wait: Duration,

    /// Another node of the cluster, as often as there are others: where one of them is initialised, this one
    /// joins it, and a second cluster is not begun. All of them must answer
    #[arg(long, value_name = "URL", help_heading = "OpenBao")]
    pub other: Vec<String>,

    /// Where an earlier run was cut off before it got its answer: move OpenBao's storage away and begin
    /// anew. Nobody has that storage's keys
    #[arg(long, value_name = "DIR", requires = "start_over_unit")]
    pub start_over_storage: Option<PathBuf>,

    /// The unit of OpenBao, stopped and started for that
    #[arg(long, value_name = "UNIT", requires = "start_over_storage")]
    pub start_over_unit: Option<String>,

    /// How to reach OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const EXAMPLES: &str = "\
Examples:
  vault-init --shares 1 --threshold 1
  vault-init --age-recipient age1alice… --age-recipient age1bob… --age-recipient age1carol… \\
      --shares 3 --threshold 2 --revoke-root-token

Exit status: 0 the cluster is initialised, and its keys are kept; 1 not; 2 wrong usage or configuration.";
