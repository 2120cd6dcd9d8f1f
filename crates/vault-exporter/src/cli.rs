//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// Serve metrics of an OpenBao cluster for Prometheus: what its own endpoint cannot say
///
/// Which nodes are sealed, lost, behind or leading, how far unsealing is, and how long certificates are
/// good. It asks only what needs no token. GET /metrics asks all nodes at once; one that hangs delays
/// the answer by the time of --timeout, and no other node's figures.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// A node, as its URL or as NAME=URL; the name is the label `node` of its figures, and host:port
    /// where there is none. Without any, those of [env: BAO_ADDR, VAULT_ADDR]
    #[arg(long, value_name = "[NAME=]URL")]
    pub node: Vec<String>,

    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9410")]
    pub listen: String,

    /// A node that has not answered after so long counts as lost; keep it below Prometheus's
    /// scrape_timeout
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = ::cli::duration)]
    pub timeout: Duration,

    /// Add the metrics in this folder's files *.prom, such as those of vault-snapshot and vault-unseal
    #[arg(long, value_name = "DIR")]
    pub textfile_directory: Vec<PathBuf>,

    /// Print the metrics once, and end
    #[arg(long)]
    pub once: bool,

    /// The CA certificates (PEM) that vouch for the nodes', in place of the system's; read at each scrape
    /// [env: BAO_CACERT, VAULT_CACERT]
    #[arg(long, value_name = "FILE", help_heading = "OpenBao")]
    pub ca_certificate: Option<PathBuf>,

    /// Do not verify the nodes' certificates, and do not look at how long they are good
    /// [env: BAO_SKIP_VERIFY, VAULT_SKIP_VERIFY]
    #[arg(long, help_heading = "OpenBao")]
    pub skip_verify: bool,
}

const EXAMPLES: &str = "\
Examples:
  vault-exporter --node bao1=https://10.0.0.21:8200 --node bao2=https://10.0.0.22:8200
  vault-exporter --node https://10.0.0.21:8200 --once
  vault-exporter --textfile-directory /var/lib/vault-unseal --textfile-directory /var/lib/vault-snapshot

Exit status: 0 it was told to end; 1 it cannot listen; 2 wrong usage or configuration.";
