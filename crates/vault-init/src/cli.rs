//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use zts_cli::ConnectionArgs;

/// Initialise an OpenBao cluster and store its key shares and root token
///
/// Does nothing if the cluster is initialised already. The key shares and the root token are
/// written to files that only root may read: in clear (`unseal.json`), or each share encrypted for
/// a person.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// The directory for the key shares and the root token
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao-init")]
    pub directory: PathBuf,

    /// The number of key shares
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    pub shares: u8,

    /// The number of key shares that unseal a node
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    pub threshold: u8,

    /// Encrypt a share to this age recipient; given once for each share
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "pgp_key")]
    pub age_recipient: Vec<String>,

    /// Encrypt a share to the PGP public key in this file; given once for each share
    #[arg(long, value_name = "FILE")]
    pub pgp_key: Vec<PathBuf>,

    /// Encrypt the root token: to an age recipient, or with `--pgp-key` to the key in
    /// this file. This program cannot revoke it then
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "revoke_root_token")]
    pub root_token_recipient: Option<String>,

    /// Revoke the root token once the node is unsealed. If no other login works then, the key
    /// shares generate a new root token only while a listener of OpenBao has
    /// `disable_unauthed_generate_root_endpoints = false` (docs/how-to/no-token.md)
    #[arg(long)]
    pub revoke_root_token: bool,

    /// Wait this long for the server to answer, and to be unsealed where that is needed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = zts_cli::duration)]
    pub wait: Duration,

    /// Another node of the cluster; given once for each other node. If one of them is initialised,
    /// this node joins it, and no second cluster is initialised. All of them must answer
    #[arg(long, value_name = "URL", help_heading = "OpenBao")]
    pub other: Vec<String>,

    /// If an earlier run was interrupted before it stored the answer, move this storage of OpenBao
    /// away and initialise a new one. The keys of the old storage are lost
    #[arg(long, value_name = "DIR", requires = "start_over_unit")]
    pub start_over_storage: Option<PathBuf>,

    /// The unit of OpenBao, which is stopped and started for that
    #[arg(long, value_name = "UNIT", requires = "start_over_storage")]
    pub start_over_unit: Option<String>,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const EXAMPLES: &str = "\
Examples:
  vault-init --shares 1 --threshold 1
  vault-init --age-recipient age1alice… --age-recipient age1bob… \\
      --age-recipient age1carol… --shares 3 --threshold 2 --revoke-root-token

Exit status: 0 the cluster is initialised, and its keys are stored; 1 not; 2 wrong usage or configuration.";
