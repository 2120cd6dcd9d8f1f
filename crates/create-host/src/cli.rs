//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use zts_cli::{ConnectionArgs, Failure};

/// Add a NixOS host to the fleet: its files, its entries, and its identity in OpenBao
///
/// Creates `hosts/<host>/` from the template, adds the host to `flake.nix` and to Terraform's
/// files, and creates its policy and AppRole role in OpenBao. Then issues a single-use wrapping
/// token and writes it to `terraform/vms.tf`, from where cloud-init passes it to the machine.
///
/// All files are changed, or none. Running the same command again changes nothing, or continues
/// where an earlier run failed. `--dry-run` shows the changes first; `--remove` reverts all of
/// them. The fleet's settings are in `fleet.toml`.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Arguments {
    /// Name of the host: lower-case letters, digits and hyphens
    #[arg(long, value_name = "NAME")]
    pub hostname: String,

    /// Address of the host with its prefix length, such as 10.0.0.11/24
    #[arg(
        long,
        value_name = "ADDRESS/LENGTH",
        required_unless_present = "remove"
    )]
    pub ip: Option<String>,

    /// Write the files only, and send nothing to OpenBao
    #[arg(long, conflicts_with = "apply")]
    pub skip_vault: bool,

    /// Issue a new wrapping token and destroy the host's old credentials; with --remove, also
    /// delete files that git cannot restore
    #[arg(long)]
    pub force: bool,

    /// Show the changes as a diff on stdout, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Remove the host: files, entries, credentials, AppRole role, policy
    #[arg(long)]
    pub remove: bool,

    /// Method to write the policy and the role to OpenBao [default: tofu if it is installed and
    /// `terraform/vault` is initialised, else api]
    #[arg(long, value_name = "METHOD")]
    pub apply: Option<ApplyMethod>,

    /// Folder of the fleet [default: the nearest folder upwards with a fleet.toml or a flake.nix]
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,

    /// Write the result to stdout as JSON
    #[arg(long)]
    pub json: bool,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl Arguments {
    /// Refuses combinations of flags that clap cannot express.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.skip_vault && self.force && !self.remove {
            return Err(Failure::usage(
                "`--force` issues a new wrapping token, which `--skip-vault` forbids",
            )
            .hint("leave one of them out"));
        }
        Ok(())
    }
}

/// A method to write the policy and the role to OpenBao.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ApplyMethod {
    /// `tofu apply` of the host's own resources
    Tofu,
    /// Requests to OpenBao's API
    Api,
    /// No change in OpenBao: somebody else applies `terraform/vault`
    None,
}

const EXAMPLES: &str = "\
Examples:
  create-host --hostname web01 --ip 10.0.0.11/24 --dry-run   # show the changes
  create-host --hostname web01 --ip 10.0.0.11/24             # add the host
  create-host --hostname web01 --ip 10.0.0.11/24 --force     # replace its credentials
  create-host --hostname web01 --remove                      # remove the host

create-host uses the token in BAO_TOKEN (or VAULT_TOKEN), else the one that `bao login` saved. A
saved token is sent only to an address given by --address or BAO_ADDR. If the address is only in
fleet.toml, create-host asks on a terminal, and otherwise stops. NO_COLOR turns colours off.

Exit status: 0 done; 1 failed or incomplete; 2 wrong usage or configuration.";
