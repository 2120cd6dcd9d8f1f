//! The command line.

use std::path::PathBuf;

use clap::Parser;
use zts_cli::ConnectionArgs;

/// Compare the declarations of hosts with OpenBao, before a switch
///
/// Reads the declarations (`vault.secrets`) of a flake's hosts, or of files, and checks with your
/// token that OpenBao has the secrets, their keys, and policies that let the hosts read them. Also
/// reports secrets that no host declares and grants that no host uses. Changes nothing without
/// `--make-missing`, and shows no value of a secret.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER)]
pub struct Arguments {
    /// The hosts to inspect [default: all]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<String>,

    /// The flake whose nixosConfigurations are evaluated
    #[arg(long, value_name = "REF", default_value = ".")]
    pub flake: String,

    /// Read the declarations from this file instead of a flake: one host's
    /// `/etc/vault/secrets.json`, or an object of those by host; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "flake")]
    pub declarations: Vec<PathBuf>,

    /// First make the secrets that do not exist and are declared with random values (`generate`);
    /// one that exists, or was deleted, stays as it is
    #[arg(long)]
    pub make_missing: bool,

    /// Exit with status 1 for a finding of any kind
    #[arg(long)]
    pub strict: bool,

    /// Write the findings to stdout as JSON
    #[arg(long)]
    pub json: bool,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const AFTER: &str = "\
Findings:
  missing     a declared secret is not in OpenBao, or was deleted or destroyed
  keys        a secret lacks a key that the host needs, or has one that it cannot use
  denied      the host cannot log in, or its policies do not let it read the secret
  undeclared  a secret below hosts/<hostname>/ that no host declares
  unused      a grant of the policy host-<hostname> that no declared secret uses
  note        information, or a check that was not possible; no reason to fail

OpenBao itself reports the capabilities of a host: those of a batch token, which it does not store,
with the policies of the host's role, of its entity and of the entity's groups. It needs a token role:
  bao write auth/token/roles/vault-plan allowed_policies_glob='host-*' token_type=batch \\
    orphan=true renewable=false

Examples:
  vault-plan                                     # every host of this flake
  vault-plan web01 web02 --flake github:example/fleet
  ssh web01 cat /etc/vault/secrets.json | vault-plan --declarations -
  vault-plan --json | jq '.hosts[].findings[] | select(.kind == \"missing\")'

--json writes { \"hosts\": [ { \"name\", \"hostname\", \"secrets\", \"findings\": [ { \"kind\", \"reason\",
\"secret\", \"path\", \"message\", \"advice\", and, where the reason has them, \"version\", \"time\", \"key\",
\"needed_by\", \"policy\" } ] } ], \"summary\": { \"hosts\", \"secrets\", and the number of each kind } }.

The token is BAO_TOKEN's (or VAULT_TOKEN's), or the one that `bao login` left. It needs:
  read    the secrets, the hosts' AppRole roles, their role ids and their policies,
          auth/token/roles/vault-plan and identity/group/id/+
  list    the hosts' secret ids and the metadata below hosts/
  create  the secrets, with --make-missing
  update  auth/token/create/vault-plan, sys/capabilities and identity/lookup/entity; where secret
          ids expire, also the roles' secret-id-accessor/lookup
A host that declares no namespace is expected in yours.

Exit status: 0 all is there; 1 something is missing, lacks keys or is denied (with --strict: any
finding but notes), or a request failed; 2 wrong usage or configuration.";
