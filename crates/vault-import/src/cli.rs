//! The command line.

use std::path::PathBuf;

use clap::Parser;
use zts_cli::ConnectionArgs;

/// Move the secrets of sops-nix and agenix to OpenBao, one step a run
///
/// Reads what hosts declare for sops-nix (`sops.secrets`) and agenix (`age.secrets`), and decrypts
/// the values with `sops` or `age` and your keys. Without an option for a step it prints the plan:
/// each secret with its place in OpenBao, and the secrets that stay with the old tool. No value is
/// shown, written to a disk or passed as an argument.
#[derive(Clone, Debug, Parser)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag, and clap refuses two of them"
)]
#[command(version, max_term_width = 100, after_help = AFTER)]
pub struct Arguments {
    /// The hosts to move [default: all that have such secrets]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<String>,

    /// The flake whose nixosConfigurations are evaluated
    #[arg(long, value_name = "REF", default_value = ".")]
    pub flake: String,

    /// Read the declarations of one host from the text of this Nix file or folder, without Nix; may
    /// be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "flake")]
    pub file: Vec<PathBuf>,

    /// Move only this secret and those below it: `app` means `app` and `app/password`; may be
    /// repeated [default: all]
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,

    /// A key for the files of agenix; may be repeated [default: ~/.ssh/id_ed25519 and
    /// ~/.ssh/id_rsa]
    #[arg(long, value_name = "FILE")]
    pub identity: Vec<PathBuf>,

    /// The mount of the KV engine (version 2) in OpenBao
    #[arg(long, value_name = "MOUNT", default_value = "secret")]
    pub kv_mount: String,

    /// Write the values to OpenBao, as first versions: a secret that exists is never changed
    #[arg(long, group = "step")]
    pub write: bool,

    /// Print a diff that adds the new declarations beside the old ones
    #[arg(long, group = "step")]
    pub declare: bool,

    /// Compare the old and new files byte by byte: on this machine, or on a host by ssh
    #[arg(
        long,
        group = "step",
        value_name = "USER@HOST",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub verify: Option<String>,

    /// Print a diff that removes the old declarations, and gives services the new paths
    #[arg(long, group = "step")]
    pub replace: bool,

    /// Write the plan to stdout as JSON
    #[arg(long, group = "step")]
    pub json: bool,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const AFTER: &str = "\
Steps, in the fleet's folder, here for one service of one host:
  vault-import web01 --only app                        # the plan
  vault-import web01 --only app --write                # the values
  vault-import web01 --only app --declare | git apply  # then deploy
  vault-import web01 --only app --verify=root@web01    # compares on the host
  vault-import web01 --only app --replace | git apply  # then deploy
`git apply --reverse` undoes a diff. On the host, switch to the previous generation.

`app/password` of sops-nix becomes the file `password` of the secret `app`; a name without a slash
becomes a secret with the file `value`. Owner, group, mode and units are carried over, templates
too. Secrets that are needed before the network is up stay (neededForUsers).

--json writes { \"hosts\": [ { \"name\", \"secrets\": [ { \"name\", \"path\", \"files\": [ { \"name\", \"tool\",
\"declaration\", \"source\", \"source_key\", \"encoding\" } ] } ], \"stay\": [ { \"tool\", \"declaration\", \"reason\" } ],
\"notes\" } ] }.

`--write` needs a token in BAO_TOKEN (or VAULT_TOKEN), or the one that `bao login` left, with the
capabilities create and read for the secrets, such as an operator's.

Exit status: 0 done, or all files are the same; 1 a file cannot be decrypted, a secret exists with
other values, files differ, or a request failed; 2 wrong usage or configuration.";
