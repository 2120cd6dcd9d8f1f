//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use zts_cli::{ConnectionArgs, Failure};

/// Add a NixOS host to the fleet: its files, its entries, and its identity in OpenBao
///
/// Creates `hosts/<host>/` from the template (without one, like the files of the other hosts), adds
/// the host to `flake.nix` and to Terraform's files, and creates its policy and AppRole role in
/// OpenBao. Then issues a single-use wrapping
/// token and writes it to OpenTofu's variables, from where cloud-init passes it to the machine. For
/// a machine that OpenTofu does not make, `--token-out` or `--deliver` names another way.
///
/// All files are changed, or none. Running the same command again changes nothing, or continues
/// where an earlier run failed. `--dry-run` shows the changes first; `--remove` reverts all of
/// them. The fleet's settings are in `fleet.toml`.
#[derive(Clone, Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = EXAMPLES,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// Another task than a host's
    #[command(subcommand)]
    pub task: Option<Task>,

    /// The host
    #[command(flatten)]
    pub host: HostArguments,
}

/// A task that is not about one host.
#[derive(Clone, Debug, Subcommand)]
pub enum Task {
    /// Write `fleet.toml` for a fleet that exists, with the settings found in its files
    ///
    /// Looks at the flake, the folders and OpenTofu's code, and writes a commented `fleet.toml`:
    /// where the hosts' files are, how a host is made, the map of machines, OpenBao's address and
    /// mounts. Asks for what it cannot find out; without a terminal it fails with all questions,
    /// and `--set` answers them. Without this file, each run finds the same anew.
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArguments),
}

/// The arguments of `create-host init`.
#[derive(Args, Clone, Debug)]
pub struct InitArguments {
    /// Folder of the fleet [default: the nearest folder upwards with a flake.nix, else the only one
    /// below with hosts]
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,

    /// Value of a setting, such as openbao.address=https://10.0.0.5:8200 or an empty paths.vms=; a
    /// list has commas between its values; repeat it for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub set: Vec<(String, String)>,

    /// Show the file as a diff on stdout, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Write the result to stdout as JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of a run for one host.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct HostArguments {
    /// Name of the host: lower-case letters, digits and hyphens, with or without its domain
    #[arg(long, value_name = "NAME", required = true)]
    pub hostname: Option<String>, // absent with a task

    /// Address of the host with its prefix length, such as 10.0.0.11/24 [default: the one in
    /// `terraform/vms.tf`, else none]
    #[arg(long, value_name = "ADDRESS/LENGTH")]
    pub ip: Option<String>,

    /// Type of the host, one of `[host_types.…]` in `fleet.toml` [default: `default_host_type`
    /// there; of a host that exists, the one that its files have]
    #[arg(long = "type", value_name = "TYPE")]
    pub host_type: Option<String>,

    /// Environment of the host, one of `[environments.…]` in `fleet.toml` [default: the one whose
    /// files have the host, else `default_environment`]
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<String>,

    /// Value of an attribute that differs among the machines, or of a placeholder, such as
    /// vmid=112; repeat it for more
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair, conflicts_with = "remove")]
    pub set: Vec<(String, String)>,

    /// Write the files only; nothing of OpenBao is touched, `hosts-generated.tf` included
    #[arg(long, conflicts_with = "apply")]
    pub skip_vault: bool,

    /// Enrol a host that exists: policy, role and wrapping token; its files and entries are left as
    /// they are. With --remove, of such a host's policy, role and credentials only
    #[arg(long, conflicts_with = "skip_vault")]
    pub enroll: bool,

    /// Write the wrapping token to this file (mode 0600), or to stdout with `-`; the host gets no
    /// entry in `terraform/vms.tf`
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["deliver", "skip_vault", "remove"]
    )]
    pub token_out: Option<PathBuf>,

    /// Deliver the wrapping token: `ssh DESTINATION` to a running host, `extra-files DIR` for
    /// `nixos-anywhere --extra-files DIR`, `credential FILE` as an SMBIOS string for QEMU and Incus
    /// (`-` for stdout); the host gets no entry in `terraform/vms.tf`
    #[arg(
        long,
        num_args = 2,
        value_names = ["METHOD", "TARGET"],
        conflicts_with_all = ["skip_vault", "remove"]
    )]
    pub deliver: Option<Vec<String>>,

    /// Issue a new wrapping token and destroy the credentials that create-host issued before; with
    /// --remove, also delete files that git cannot restore
    #[arg(long)]
    pub force: bool,

    /// Show the changes as a diff on stdout, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not evaluate the new host with Nix before OpenBao is changed
    #[arg(long)]
    pub no_check: bool,

    /// Remove the host: files, entries, credentials, AppRole role, policy
    #[arg(long)]
    pub remove: bool,

    /// Take away a policy that somebody added to the host's role by hand; repeat it for more
    #[arg(long, value_name = "NAME", conflicts_with_all = ["skip_vault", "remove"])]
    pub remove_policy: Vec<String>,

    /// Method to write the policy and the role to OpenBao [default: tofu if it is installed and
    /// `terraform/vault` is initialised, else api]
    #[arg(long, value_name = "METHOD")]
    pub apply: Option<ApplyMethod>,

    /// Folder of the fleet [default: the nearest folder upwards with a fleet.toml or a flake.nix,
    /// else the only one below with hosts]
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,

    /// Write the result to stdout as JSON
    #[arg(long)]
    pub json: bool,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl HostArguments {
    /// Refuses combinations of flags that clap cannot express.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.skip_vault && self.force && !self.remove {
            return Err(Failure::usage(
                "`--force` issues a new wrapping token, which `--skip-vault` forbids",
            )
            .hint("leave one of them out"));
        }
        if self.json && self.token_goes_to_stdout() {
            return Err(Failure::usage(
                "the wrapping token and the result of `--json` cannot both be on stdout",
            )
            .hint("name a file for the token, or leave `--json` out"));
        }
        Ok(())
    }

    fn token_goes_to_stdout(&self) -> bool {
        let file = self.token_out.as_deref().and_then(Path::to_str);
        let credential = match self.deliver.as_deref() {
            Some([method, target]) if method == "credential" => Some(target.as_str()),
            _ => None,
        };
        file.or(credential) == Some("-")
    }
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like `vmid=112`".to_owned()),
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

const INIT_EXAMPLES: &str = "\
Examples:
  create-host init --dry-run                                    # show the file
  create-host init                                              # write it
  create-host init --set openbao.address=https://10.0.0.5:8200  # with an answer";

const EXAMPLES: &str = "\
Examples:
  create-host init                                           # write fleet.toml
  create-host --hostname web01 --ip 10.0.0.11/24 --dry-run   # show the changes
  create-host --hostname web01 --ip 10.0.0.11/24             # add the host
  create-host --hostname web01 --force                       # new credentials
  create-host --hostname web01 --remove                      # remove the host
  create-host --hostname nas --token-out nas.token           # without OpenTofu
  create-host --hostname nas --enroll --token-out -          # it exists already
  create-host --hostname nas --force --deliver ssh root@nas  # it runs already

create-host uses the token in BAO_TOKEN (or VAULT_TOKEN), else the one that `bao login` saved. A
saved token is sent only to an address given by --address or BAO_ADDR. If the address is only in
fleet.toml, create-host asks on a terminal, and otherwise, or with --json, stops. NO_COLOR turns
colours off.

Exit status: 0 done; 1 failed or incomplete; 2 wrong usage or configuration.";
