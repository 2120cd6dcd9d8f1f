//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// Serve metrics of an OpenBao cluster that its own endpoint cannot give, for Prometheus
///
/// They tell which nodes are sealed, unreachable, lagging or active, how far unsealing is, and when
/// certificates expire. No token is needed. GET /metrics probes all nodes at once. A node that
/// hangs delays the response by --timeout at most, and does not affect the metrics of other nodes.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct Arguments {
    /// A node, as URL or as NAME=URL; the name is the label `node` of its metrics, by default
    /// host:port. Without this option, the nodes of [env: BAO_ADDR, VAULT_ADDR]
    #[arg(long, value_name = "[NAME=]URL")]
    pub node: Vec<String>,

    /// The address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9410")]
    pub listen: String,

    /// The time after which a node that has not answered counts as unreachable; keep it below
    /// Prometheus's scrape_timeout
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = zts_cli::duration)]
    pub timeout: Duration,

    /// Add the metrics of the files *.prom in this directory, such as those of vault-snapshot and
    /// vault-unseal
    #[arg(long, value_name = "DIR")]
    pub textfile_directory: Vec<PathBuf>,

    /// Print the metrics once and exit
    #[arg(long)]
    pub once: bool,

    /// The CA certificates (PEM) to trust instead of the system's; read at each scrape
    /// [env: BAO_CACERT, VAULT_CACERT]
    #[arg(long, value_name = "FILE", help_heading = "OpenBao")]
    pub ca_certificate: Option<PathBuf>,

    /// Do not verify the nodes' certificates, and give no metrics of them
    /// [env: BAO_SKIP_VERIFY, VAULT_SKIP_VERIFY]
    #[arg(long, help_heading = "OpenBao")]
    pub skip_verify: bool,
}

const EXAMPLES: &str = "\
Examples:
  vault-exporter --node bao1=https://10.0.0.21:8200 \\
      --node bao2=https://10.0.0.22:8200
  vault-exporter --node https://10.0.0.21:8200 --once
  vault-exporter --textfile-directory /var/lib/vault-unseal \\
      --textfile-directory /var/lib/vault-snapshot

Exit status: 0 ended by a signal; 1 cannot listen; 2 wrong usage or configuration.";
