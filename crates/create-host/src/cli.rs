//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cli::ConnectionArgs;

/// Make a host of the fleet: its files, its entries, its identity in OpenBao
///
/// Writes `hosts/<host>/`, adds the host to `flake.nix` and to Terraform's files, gives it a policy
/// and an AppRole role of its own, and puts a single-use wrapping token into `terraform/vms.tf`, where
/// cloud-init hands it to the machine. Files change all at once or not at all. The same command again
/// changes nothing, or goes on where an earlier run failed. Settings of the fleet stand in `fleet.toml`.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Arguments {
    /// The host's name: lower-case letters, digits and hyphens
    #[arg(long, value_name = "NAME")]
    pub hostname: String,

    /// The host's address with its prefix length, such as 10.0.0.11/24
    #[arg(
        long,
        value_name = "ADDRESS/LENGTH",
        required_unless_present = "remove"
    )]
    pub ip: Option<String>,

    /// Write the files only; OpenBao is not asked anything
    #[arg(long, conflicts_with = "apply")]
    pub skip_vault: bool,

    /// Issue a new wrapping token and destroy the host's old credentials; with --remove, also
    /// delete files that git could not bring back
    #[arg(long)]
    pub force: bool,

    /// Show what would change, as a diff on stdout, and touch nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Take the host out again: files, entries, credentials, AppRole role, policy
    #[arg(long)]
    pub remove: bool,

    /// How the policy and the role get into OpenBao [default: tofu where it is installed and the
    /// fleet's `terraform/vault` is initialised, api otherwise]
    #[arg(long, value_name = "HOW")]
    pub apply: Option<How>,

    /// The fleet's folder [default: the nearest one upwards with a fleet.toml or a flake.nix]
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,

    /// Write the result to stdout as JSON
    #[arg(long)]
    pub json: bool,

    /// Show what OpenTofu says
    #[arg(long, short)]
    pub verbose: bool,

    /// How to reach OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// How the policy and the role get into OpenBao.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// With `tofu apply` of the host's own resources
    Tofu,
    /// With OpenBao's API
    Api,
    /// Not at all: somebody else applies `terraform/vault`
    None,
}

const EXAMPLES: &str = "\
Examples:
  create-host --hostname web01 --ip 10.0.0.11/24 --dry-run
  create-host --hostname web01 --ip 10.0.0.11/24
  create-host --hostname web01 --ip 10.0.0.11/24 --force
  create-host --hostname web01 --remove

The token to work with is BAO_TOKEN's (or VAULT_TOKEN's), or the one that `bao login` left. That one
goes only to an address that --address or BAO_ADDR names; where only fleet.toml does, create-host
asks at a terminal, and else ends. NO_COLOR turns colours off.

Exit status: 0 done; 1 not done, or not all of it; 2 wrong usage or configuration.";
