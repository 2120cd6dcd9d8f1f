//! The command line.

use std::path::PathBuf;

use clap::Parser;
use cli::ConnectionArgs;

/// Compare what hosts declare with what OpenBao holds, before a switch
///
/// Takes what the hosts of a flake declare (`vault.secrets`), or files of that, and asks OpenBao with
/// your token whether all of it is there: secrets, keys, and policies that let the hosts read them.
/// Tells also which secrets nobody declares and which grants nobody uses. Changes nothing, and shows
/// no value of a secret.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER)]
pub struct Arguments {
    /// The hosts to look into [default: all]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<String>,

    /// The flake whose nixosConfigurations are evaluated
    #[arg(long, value_name = "REF", default_value = ".")]
    pub flake: String,

    /// Take the declarations from this file in place of a flake: one host's
    /// `/etc/vault/secrets.json`, or an object of those by host; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "flake")]
    pub declarations: Vec<PathBuf>,

    /// Exit with status 1 for a finding of any kind
    #[arg(long)]
    pub strict: bool,

    /// Write the findings to stdout as JSON
    #[arg(long)]
    pub json: bool,

    /// How to reach OpenBao
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
  note        worth knowing, or what cannot be told from here; no reason to fail

OpenBao itself tells what a host may read: of a batch token, which is stored nowhere, with the
policies of the host's role, of its entity and of the entity's groups. A token role makes it:
  bao write auth/token/roles/vault-plan allowed_policies_glob='host-*' token_type=batch \\
    orphan=true renewable=false

Examples:
  vault-plan                                     every host of the flake in this folder
  vault-plan web01 web02 --flake github:example/fleet
  ssh web01 cat /etc/vault/secrets.json | vault-plan --declarations -
  vault-plan --json | jq '.hosts[].findings[] | select(.kind == \"missing\")'

--json writes { \"hosts\": [ { \"name\", \"hostname\", \"secrets\", \"findings\": [ { \"kind\", \"reason\",
\"secret\", \"path\", \"message\", \"advice\", and, where the reason has them, \"version\", \"time\", \"key\",
\"needed_by\", \"policy\" } ] } ], \"summary\": { \"hosts\", \"secrets\", and the number of each kind } }.

The token to work with is BAO_TOKEN's (or VAULT_TOKEN's), or the one that `bao login` left. It needs
`read` on the secrets, on the AppRole roles of the hosts, their role ids and their policies, and
`list` on their secret ids and on the metadata below hosts/; `read` on auth/token/roles/vault-plan and
identity/group/id/+, `update` on auth/token/create/vault-plan, sys/capabilities and
identity/lookup/entity. A host that declares no namespace is looked for in yours.

Exit status: 0 all is there; 1 something is missing, lacks keys or is denied (with --strict: any
finding but notes), or a question could not be answered; 2 wrong usage or configuration.";
