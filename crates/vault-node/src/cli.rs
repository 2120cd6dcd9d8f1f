//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Show the nodes of an OpenBao cluster, and restart them one by one
///
/// Needs no token.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// The file with the nodes, which the NixOS module writes
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/openbao/nodes.json",
        global = true
    )]
    pub config: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show one line for each node: leader, standby, no leader, sealed, not initialised, or out of
    /// reach
    ///
    /// Exits with status 1 if a node does not serve. Warns of a standby that forwards reads to the
    /// leader although its version could answer them.
    Status {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },

    /// Restart OpenBao on this node once all others serve, and wait until it serves again
    ///
    /// Refuses while another node does not serve: the cluster could lose its quorum. To restart a
    /// whole cluster, run it on one node after the other, the leader last.
    Restart {
        /// The time to wait for the other nodes before, and for this one afterwards
        #[arg(long, value_name = "TIME", default_value = "5min", value_parser = zts_cli::duration)]
        timeout: Duration,

        /// Restart although other nodes do not serve
        #[arg(long)]
        force: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  vault-node status
  vault-node restart
  colmena exec --on @openbao --parallel 1 vault-node restart  # a whole cluster

Exit status: 0 all nodes serve, or the restart is done; 1 otherwise; 2 wrong usage or configuration.";
