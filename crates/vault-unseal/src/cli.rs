//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Watch the nodes of an OpenBao cluster and unseal those that are sealed
///
/// The configuration is JSON with the keys log_level (error, warn, info, debug, trace),
/// probe_interval (seconds), nodes (URLs) and unseal_keys (hex or base64). Key shares may come from
/// files or systemd credentials instead. No token is needed. SIGHUP reloads the configuration and
/// the key shares.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Key shares from this file: one a line, or the JSON of `bao operator init`, `vault-init` or
    /// the API. Files named unseal-key… in $CREDENTIALS_DIRECTORY are read, too
    #[arg(long, value_name = "FILE")]
    pub unseal_key_file: Vec<PathBuf>,

    /// Accept files with key shares that other users may read: for mounts of Kubernetes or Nomad,
    /// which set the mode and restrict access to the mount
    #[arg(long)]
    pub allow_readable_key_files: bool,

    /// Probe each node once, unseal those that are sealed, and exit: with 0 if all nodes are
    /// unsealed
    #[arg(long)]
    pub once: bool,

    /// Write metrics for Prometheus to this file
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,

    /// The CA certificates (PEM) for the nodes, instead of the system's [env: BAO_CACERT,
    /// VAULT_CACERT]
    #[arg(long, value_name = "FILE", help_heading = "OpenBao")]
    pub ca_certificate: Option<PathBuf>,

    /// Do not verify the nodes' certificates: a server that answers in a node's place gets the key
    /// shares [env: BAO_SKIP_VERIFY, VAULT_SKIP_VERIFY]
    #[arg(long, help_heading = "OpenBao")]
    pub skip_verify: bool,
}

const EXAMPLES: &str = "\
Examples:
  vault-unseal --config /etc/vault-unseal.json
  vault-unseal --config nodes.json --once \\
      --unseal-key-file /var/lib/openbao-init/unseal.json

Exit status: 0 ended by a signal, or all nodes are unsealed; 1 not all are; 2 wrong usage or
configuration.";
