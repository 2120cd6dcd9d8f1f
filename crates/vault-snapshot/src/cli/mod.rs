//! The command line.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]

mod groups;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Arg, ArgAction, Args, Parser, Subcommand};
use zts_cli::ConnectionArgs;

pub(crate) use groups::{AuthMethod, IdentityArgs, LoginArgs, PlaceArgs, VerificationArgs};

use crate::retention::RetentionPolicy;

/// Save snapshots of an OpenBao cluster and test that they can be restored
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// The command
    #[command(subcommand)]
    pub(crate) command: Command,

    /// A settings file (JSON) with the values of flags. A flag on the command line overrides its
    /// setting and drops the settings that it conflicts with. `--dir` and `--s3` replace all places
    /// of the file, and `--FLAG=false` unsets a flag that the file sets to `true`
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take a snapshot, verify it, and store it in each place; prints its name
    Save(Box<Save>),

    /// List the snapshots in each place, newest first
    List(List),

    /// Read snapshots to their end and compare them with their digests
    Verify(Verify),

    /// Remove the snapshots that no `--keep-…` option keeps; the newest intact one always stays
    Prune(Prune),

    /// Replace all data of a cluster by a snapshot
    Restore(Restore),

    /// Restore a snapshot into a throw-away server on this machine, unseal it, and read the canary
    Drill(Box<Drill>),

    /// Check a settings file, without the files and servers that it names
    CheckConfig {
        /// The settings file
        file: PathBuf,
    },

    /// Run a program that is killed when its parent, the process with this id, ends
    #[command(hide = true, name = DIE_WITH_PARENT)]
    DieWithParent {
        parent: i32,
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// The flags that a settings file can set.
const SETTABLE_FLAGS: [&str; 4] = [
    "same_disk",
    "allow_readable_key_files",
    "without_canary",
    "with_network",
];

/// Lets such a flag also take `=true` or `=false`, which unsets what the file sets.
fn with_optional_value(argument: Arg) -> Arg {
    if !SETTABLE_FLAGS.contains(&argument.get_id().as_str()) {
        return argument;
    }
    argument
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("true|false")
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// The arguments of `save`.
#[derive(Args, Debug)]
#[command(mut_args(with_optional_value))]
pub(crate) struct Save {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    /// An age recipient to encrypt the snapshot to, before it is written to disk; can be repeated
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) age_recipient: Vec<String>,

    /// The file with a private key (Ed25519, PEM) that signs the snapshot's description
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,

    /// A secret (KV version 2, `mount/path`) to write just before the snapshot; a drill reads it
    /// from there
    #[arg(long, value_name = "PATH", value_parser = parse_canary)]
    pub(crate) canary: Option<(String, String)>,

    /// The folder with OpenBao's data on this machine. If it exists, at least one place must be on
    /// another disk
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao")]
    pub(crate) cluster_storage: PathBuf,

    /// Allow that all places are on the disk with OpenBao's data
    #[arg(long)]
    pub(crate) same_disk: bool,

    /// The time in which a failed snapshot is retried, such as while the cluster elects a leader
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = zts_cli::duration)]
    pub(crate) retry_timeout: Duration,

    /// The time after which a server that sends nothing counts as unavailable
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = zts_cli::duration)]
    pub(crate) idle_timeout: Duration,

    /// The file to write metrics for Prometheus to
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) login: LoginArgs,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// The arguments of `list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,
}

/// The arguments of `verify`.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The snapshot's name, or the path of its file; by default the newest in each place
    pub(crate) snapshot: Option<String>,

    /// Verify all snapshots
    #[arg(long, conflicts_with = "snapshot")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    #[command(flatten)]
    pub(crate) identities: IdentityArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,
}

/// The arguments of `prune`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Snapshots to keep (UTC)")]
pub(crate) struct Prune {
    /// Keep this many of the newest snapshots
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_last: usize,

    /// Keep the newest snapshot of each of this many hours
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_hourly: usize,

    /// Keep the newest snapshot of each of this many days
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_daily: usize,

    /// Keep the newest snapshot of each of this many weeks
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_weekly: usize,

    /// Keep the newest snapshot of each of this many months
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) keep_monthly: usize,

    /// Print the snapshots that would be removed, and remove none
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,
}

impl Prune {
    pub(crate) fn policy(&self) -> RetentionPolicy {
        RetentionPolicy {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
        }
    }
}

/// The arguments of `restore`.
#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The snapshot's name, or the path of its file; by default the newest in all places
    pub(crate) snapshot: Option<String>,

    /// Allow a snapshot of another cluster or with another seal's keys, which the servers then need
    #[arg(long)]
    pub(crate) force: bool,

    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,

    /// The file with the token to restore with; by default BAO_TOKEN, or the token that `bao login`
    /// has saved
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    #[command(flatten)]
    pub(crate) identities: IdentityArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// The arguments of `drill`.
#[derive(Args, Debug)]
#[command(mut_args(with_optional_value))]
pub(crate) struct Drill {
    /// The snapshot's name, or the path of its file; by default the newest in all places
    pub(crate) snapshot: Option<String>,

    /// A file with key shares of the cluster, one a line, or in the format of `bao operator init
    /// -format=json` or the API; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) unseal_key_file: Vec<PathBuf>,

    /// Accept key shares in files that other users may read, such as where a mount of Kubernetes or
    /// Nomad sets the mode
    #[arg(long)]
    pub(crate) allow_readable_key_files: bool,

    /// A file of OpenBao's configuration with the cluster's `seal`, if it unseals by itself
    #[arg(long, value_name = "FILE", conflicts_with = "unseal_key_file")]
    pub(crate) seal_config: Option<PathBuf>,

    /// Succeed without reading a canary, such as for a snapshot that has none
    #[arg(long)]
    pub(crate) without_canary: bool,

    /// Leave the throw-away server on the network, which its seal may need. Its data is real: it
    /// may revoke credentials at a database that it believes to have expired
    #[arg(long)]
    pub(crate) with_network: bool,

    /// A folder that audit devices of the cluster write to. The throw-away server sees an empty one
    /// in its place: it must be able to write there, but not to the real log. Also a folder with a
    /// database's socket, which no network namespace hides. Can be repeated; `none` hides nothing
    #[arg(long, value_name = "DIR", default_value = "/var/log")]
    pub(crate) hide: Vec<PathBuf>,

    /// The program of OpenBao
    #[arg(long, value_name = "FILE", default_value = "bao")]
    pub(crate) bao_program: PathBuf,

    /// The time that each step may take
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = zts_cli::duration)]
    pub(crate) step_timeout: Duration,

    /// The file to write metrics for Prometheus to
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    #[command(flatten)]
    pub(crate) identities: IdentityArgs,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,

    /// The folder with `role-id` and `secret-id` of an AppRole that may read the canary
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

/// The hidden command that runs a program and ends it with its parent.
pub(crate) const DIE_WITH_PARENT: &str = "__die-with-parent";

/// Parses `mount/path` of a secret.
pub(crate) fn parse_canary(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((mount, path)) if !mount.is_empty() && !path.is_empty() => {
            Ok((mount.to_owned(), path.to_owned()))
        }
        _ => Err(
            "expected a mount and a path in it, such as `secret/vault-snapshot/canary`".to_owned(),
        ),
    }
}

const EXAMPLES: &str = "\
Examples:
  vault-snapshot save --dir /srv/snapshots --auth approle \\
      --approle-dir /run/credentials/approle
  vault-snapshot save --work /var/lib/backup \\
      --s3 'https://s3.example.org/backups/openbao?credentials=/etc/s3'
  vault-snapshot list --dir /srv/snapshots
  vault-snapshot verify --all --dir /srv/snapshots
  vault-snapshot restore --dir /srv/snapshots --address https://bao1:8200
  vault-snapshot drill --dir /srv/snapshots \\
      --unseal-key-file /run/credentials/unseal-keys
  vault-snapshot prune --dir /srv/snapshots --keep-hourly 24 \\
      --keep-daily 14 --keep-monthly 12
  vault-snapshot save --config /etc/vault-snapshot.json

Exit status: 0 done; 1 failed; 2 wrong usage or configuration.";
