//! The command line.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use cli::ConnectionArgs;

use crate::retention::Rule;

/// Save snapshots of an OpenBao cluster, and show that they can be restored
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take a snapshot, verify it, and put it into each place; its name goes to stdout
    Save(Box<Save>),

    /// List the snapshots in each place, newest first
    List(List),

    /// Read a snapshot to its end and compare it with its digests
    Verify(Verify),

    /// Remove the snapshots that no rule keeps; the newest good one always stays
    Prune(Prune),

    /// Put a snapshot in the place of all that a cluster holds
    Restore(Restore),

    /// Restore a snapshot into a throw-away server of this machine, unseal it, and read the canary
    Drill(Box<Drill>),

    /// Run a program that does not outlive this one
    #[command(hide = true, name = TIED)]
    Tied {
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Where snapshots are.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
#[command(next_help_heading = "Places")]
pub(crate) struct Places {
    /// A folder with snapshots; as often as needed
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Vec<PathBuf>,

    /// A bucket of a store that knows S3, `https://HOST[:PORT]/BUCKET[/PREFIX]`; as often as needed. Behind `?`,
    /// with `&` between: `region=NAME`, `ca=FILE` (PEM), `credentials=FILE` (as AWS has them),
    /// `style=virtual-host`. Without, AWS_REGION, the system's CAs, AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY, and the bucket in the path
    #[arg(long, value_name = "URL")]
    pub(crate) s3: Vec<String>,

    /// Try so long for each request to a bucket, and for each part of a large snapshot
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = ::cli::duration)]
    pub(crate) s3_patience: Duration,

    /// Where a snapshot lies until it is complete; by default the first folder, else systemd's for the unit
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}

/// How this program logs in.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
#[command(next_help_heading = "Login")]
pub(crate) struct LoginArgs {
    /// How to log in; `token` takes the one in BAO_TOKEN, or that `bao login` left
    #[arg(long, value_name = "METHOD", default_value = "token")]
    pub(crate) auth: Method,

    /// The mount of the auth method; by default the method's name
    #[arg(long, value_name = "MOUNT")]
    pub(crate) auth_mount: Option<String>,

    /// For `approle`: the folder with `role-id` and `secret-id`
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vault/approle")]
    pub(crate) approle_dir: PathBuf,

    /// For `jwt` and `kubernetes`: the role
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,

    /// For `jwt` and `kubernetes`: the file with the workload's token
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    )]
    pub(crate) jwt_file: PathBuf,
}

/// An auth method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    Token,
    Approle,
    Jwt,
    Kubernetes,
}

/// Taking a snapshot.
#[derive(Args, Debug)]
pub(crate) struct Save {
    #[command(flatten)]
    pub(crate) places: Places,

    /// Encrypt the snapshot to this age recipient before it leaves the memory; as often as needed
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) age_recipient: Vec<String>,

    /// The file with a private key (Ed25519, PEM) that signs the snapshot's description
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,

    /// Write this secret (KV version 2, `mount/path`) just before, for a drill to read from the snapshot
    #[arg(long, value_name = "PATH", value_parser = canary)]
    pub(crate) canary: Option<(String, String)>,

    /// Where `OpenBao` keeps its data on this machine. Folders on the same disk alone are refused, where it is
    /// there
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao")]
    pub(crate) cluster_storage: PathBuf,

    /// Be content with folders on the disk that `OpenBao` keeps its data on
    #[arg(long)]
    pub(crate) same_disk: bool,

    /// Try so long for a snapshot that is whole: leaders change
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = ::cli::duration)]
    pub(crate) wait: Duration,

    /// Take a server for gone that sends nothing for so long
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = ::cli::duration)]
    pub(crate) silence: Duration,

    /// Write figures for Prometheus to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) login: LoginArgs,

    /// How to reach OpenBao
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Listing.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) places: Places,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,
}

/// Verifying.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The snapshot's name, or the path of its file; without one, the newest of each place
    pub(crate) snapshot: Option<String>,

    /// All of them
    #[arg(long, conflicts_with = "snapshot")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) places: Places,

    #[command(flatten)]
    pub(crate) identities: IdentityArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,
}

/// Who can read encrypted snapshots.
#[derive(Args, Clone, Debug)]
pub(crate) struct IdentityArgs {
    /// The file with an age identity that opens encrypted snapshots; as often as needed
    #[arg(long, value_name = "FILE")]
    pub(crate) age_identity: Vec<PathBuf>,
}

/// Whose signature a snapshot must have.
#[derive(Args, Clone, Debug)]
pub(crate) struct VerificationArgs {
    /// The file with a public key (Ed25519, PEM): snapshots that it did not sign count for nothing; as often as
    /// needed, of which one must have signed
    #[arg(long, value_name = "FILE")]
    pub(crate) verification_key: Vec<PathBuf>,
}

/// Pruning.
#[derive(Args, Debug)]
#[command(next_help_heading = "What stays (UTC)")]
pub(crate) struct Prune {
    /// The newest so many
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_last: usize,

    /// The newest of each of so many hours that have any
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_hourly: usize,

    /// The newest of each of so many days that have any
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_daily: usize,

    /// The newest of each of so many weeks that have any
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_weekly: usize,

    /// The newest of each of so many months that have any
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_monthly: usize,

    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) places: Places,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,
}

impl Prune {
    pub(crate) fn rule(&self) -> Rule {
        Rule {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
        }
    }
}

/// Restoring.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) struct Restore {
    /// The snapshot's name, or the path of its file; without one, the newest of all places
    pub(crate) snapshot: Option<String>,

    /// Also a snapshot of another cluster, or with another seal's keys: the servers then need those
    #[arg(long)]
    pub(crate) force: bool,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,

    /// The file with the token to restore with, in place of the one in BAO_TOKEN, or that `bao login` left
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) places: Places,

    #[command(flatten)]
    pub(crate) identities: IdentityArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,

    /// How to reach OpenBao
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Trying to restore.
#[derive(Args, Debug)]
pub(crate) struct Drill {
    /// The snapshot's name, or the path of its file; without one, the newest of all places
    pub(crate) snapshot: Option<String>,

    /// A file with key shares of the cluster, one a line, or as `bao operator init -format=json` and the API print
    /// them; as often as needed
    #[arg(long, value_name = "FILE")]
    pub(crate) unseal_key_file: Vec<PathBuf>,

    /// Take key shares also from files that others than their owner may read: where a mount of
    /// Kubernetes or Nomad decides the mode, and who may enter the mount
    #[arg(long)]
    pub(crate) allow_readable_key_files: bool,

    /// A file of `OpenBao`'s configuration with the cluster's `seal`, where it opens by itself
    #[arg(long, value_name = "FILE", conflicts_with = "unseal_key_file")]
    pub(crate) seal_config: Option<PathBuf>,

    /// Be content when it unseals: the snapshot has no canary, or nobody here may read it
    #[arg(long)]
    pub(crate) without_canary: bool,

    /// Let the throw-away server reach the network, which its seal may need. What it holds is real: it may revoke
    /// at a database what it believes has expired
    #[arg(long)]
    pub(crate) with_network: bool,

    /// Show the throw-away server an empty folder in the place of this one, where audit devices of the cluster
    /// write: it must be able to, and must not; as often as needed. So also with the folder of a socket by which the
    /// cluster comes to a database: no other network keeps it from that. `none` hides nothing
    #[arg(long, value_name = "DIR", default_value = "/var/log")]
    pub(crate) hide: Vec<PathBuf>,

    /// `OpenBao`'s program
    #[arg(long, value_name = "FILE", default_value = "bao")]
    pub(crate) bao_program: PathBuf,

    /// The longest that each step may take
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = ::cli::duration)]
    pub(crate) wait: Duration,

    /// Write figures for Prometheus to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) places: Places,

    #[command(flatten)]
    pub(crate) identities: IdentityArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,

    /// The folder with `role-id` and `secret-id` of an `AppRole` that may read the canary
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/vault/approle",
        help_heading = "Login"
    )]
    pub(crate) approle_dir: PathBuf,

    /// The mount of the auth method
    #[arg(
        long,
        value_name = "MOUNT",
        default_value = "approle",
        help_heading = "Login"
    )]
    pub(crate) auth_mount: String,
}

/// The hidden command that ties a program to this one.
pub(crate) const TIED: &str = "__tied";

/// `mount/path` of a secret.
fn canary(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((mount, path)) if !mount.is_empty() && !path.is_empty() => {
            Ok((mount.to_owned(), path.to_owned()))
        }
        _ => Err("a mount and a path in it, such as `secret/vault-snapshot/canary`".to_owned()),
    }
}

const EXAMPLES: &str = "\
Examples:
  vault-snapshot save --dir /srv/snapshots --auth approle --approle-dir /run/credentials/approle
  vault-snapshot save --s3 'https://s3.example.org/backups/openbao?credentials=/etc/s3' --work /var/lib/backup
  vault-snapshot list --dir /srv/snapshots
  vault-snapshot verify --all --dir /srv/snapshots
  vault-snapshot restore --dir /srv/snapshots --address https://bao1:8200
  vault-snapshot drill --dir /srv/snapshots --unseal-key-file /run/credentials/unseal-keys
  vault-snapshot prune --dir /srv/snapshots --keep-hourly 24 --keep-daily 14 --keep-monthly 12

Exit status: 0 done; 1 not; 2 wrong usage or configuration.";
