//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Show the nodes of an OpenBao cluster, and restart them one by one
///
/// Needs no token: it asks each node only for its seal status and its leader.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// The nodes, as the NixOS module writes them down
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/openbao/nodes.json",
        global = true
    )]
    pub config: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One line for each node: leader, standby, sealed, not initialised, or out of reach
    ///
    /// Ends with 1 where one of them does not serve. Warns of a standby that passes reads on to the leader
    /// although its version could answer them.
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Restart OpenBao on this node, once that harms nobody, and wait until it serves again
    ///
    /// Refuses while another node does not serve: the cluster could lose its quorum. To restart a whole
    /// cluster, run it on one node after the other, the leader last.
    Restart {
        /// Wait so long for the other nodes before, and for this one afterwards
        #[arg(long, value_name = "TIME", default_value = "5min", value_parser = ::cli::duration)]
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
  colmena exec --on @openbao --parallel 1 vault-node restart     a whole cluster, without a break

Exit status: 0 all nodes serve, or the restart is done; 1 not; 2 wrong usage or configuration.";
