//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use zts_cli::ConnectionArgs;

/// Manage the secrets that this host declares
///
/// The NixOS module writes the declarations, and its units run these commands. `status` is for
/// people.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// The command
    #[command(subcommand)]
    pub command: Command,

    /// The declarations of this host
    #[arg(long, global = true, value_name = "FILE", default_value = zts_delivery::DECLARATIONS)]
    pub declarations: PathBuf,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Deploy new versions, and restart or reload the services that use them
    ///
    /// Rotates all secrets that are rotated at the same times as NAME, with one listing of OpenBao.
    /// If a service does not come up with a new version, that version is rolled back and rejected.
    /// A rejected version is not deployed again.
    Rotate(Rotate),

    /// Prove or roll back versions that services started with by themselves
    ///
    /// Sends no request to OpenBao. A version that was deployed by the start of a service, at boot
    /// or later, is unproven until its services have come up with it. Does nothing if no version is
    /// unproven.
    Prove(Prove),

    /// Retry the fetch of a secret, then start the services that waited for it
    ///
    /// Starts vault-secret-NAME.service until it succeeds, with pauses that grow from one second to
    /// about one minute.
    Retry {
        /// The secret's name on this host
        #[arg(value_name = "NAME")]
        name: String,
    },

    /// Start the fetch of the secrets that are not in place as they are declared
    ///
    /// These are the secrets whose files are missing, were altered, or were written for another
    /// declaration, and those whose cached copy is missing. Starts vault-secrets.service for
    /// several, and vault-secret-NAME.service for each that is missing then. Sends no request
    /// itself. A switch runs it before services are reloaded.
    Fetch,

    /// Fetch the secrets that are not in place as they are declared, over one connection
    ///
    /// Each secret is fetched as vault-fetch does it, and its failure is its own. Where OpenBao
    /// does not answer in time, the cached copies are used.
    FetchAll(FetchAll),

    /// Render a template of several secrets from their files on this host
    ///
    /// The file is replaced if it differs. It stays where a key is missing, and is removed where a
    /// secret is not on this host. Sends no request to OpenBao, and affects no service.
    Render {
        /// The template's name on this host
        #[arg(value_name = "NAME")]
        name: String,
    },

    /// Watch OpenBao for new versions, and start the rotation of the secrets that have one
    ///
    /// Queries the versions of all secrets that are rotated, at each interval and over one
    /// connection, until it is ended. The pauses grow while OpenBao is slow or unavailable.
    Watch(Watch),

    /// Remove secrets that are no longer declared
    ///
    /// Also takes over plain files of root or of the secret's owner in declared places, one for
    /// each key. Files in an output directory stay until the next fetch replaces them. Files in a
    /// cache directory become a copy. Other files are refused. Makes the declared links to files of
    /// secrets. Another file at the path of a link stays, and is an error.
    Clean {
        /// The file with the places of the last run
        #[arg(
            long,
            value_name = "FILE",
            default_value = "/var/lib/vault/secrets.json"
        )]
        state: PathBuf,

        /// Remove the secrets that are declared, too, and FILE, before the module leaves this host
        #[arg(long)]
        all: bool,
    },

    /// Show the deployed, unproven and rejected versions; sends no request to OpenBao
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,

        /// The directory with the state that rotations share
        #[arg(long, value_name = "DIR", default_value = "/run/vault")]
        state_dir: PathBuf,
    },

    /// Write metrics of all declared secrets for Prometheus; sends no request to OpenBao
    Metrics {
        /// The file, which is replaced atomically [default: stdout]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,

        /// The directory with the state that rotations share
        #[arg(long, value_name = "DIR", default_value = "/run/vault")]
        state_dir: PathBuf,
    },
}

/// Arguments of `fetch-all`.
#[derive(Args, Debug)]
pub struct FetchAll {
    /// Write a file for each fetched secret into this directory, until systemd has skipped its unit
    ///
    /// Notifies systemd when the units of the secrets may start, and then stays for a few seconds.
    /// One second after OpenBao's first answer, no further secret is read, but left to its unit.
    #[arg(long, value_name = "DIR")]
    pub markers: Option<PathBuf>,

    /// The time after which the cached copies of all secrets are used
    #[arg(long, value_name = "TIME", default_value = "800ms", value_parser = zts_cli::duration)]
    pub cached_deadline: Duration,

    /// The directory with notes about OpenBao that all fetches of this host share
    /// [default: /run/vault-fetch for root, else hidden files beside the output directory]
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Arguments of `watch`.
#[derive(Args, Debug)]
pub struct Watch {
    /// The time between two queries, which differs by up to a tenth
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = zts_cli::duration)]
    pub interval: Duration,

    /// The directory with notes about OpenBao that all fetches of this host share
    /// [default: /run/vault-fetch for root, else hidden files beside the output directory]
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// The time limits for services that are monitored.
#[derive(Args, Clone, Copy, Debug)]
pub struct MonitorLimits {
    /// The settle time: a service has come up once it has stayed up for this long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = zts_cli::duration)]
    pub settle: Duration,

    /// The limit for the start of a service [default: its own in systemd, else 90s]
    #[arg(long, value_name = "TIME", value_parser = zts_cli::duration)]
    pub start_timeout: Option<Duration>,
}

/// Arguments of `prove`.
#[derive(Args, Debug)]
pub struct Prove {
    /// The limits of the watch
    #[command(flatten)]
    pub limits: MonitorLimits,

    /// The directory with the state that rotations share
    #[arg(long, value_name = "DIR", default_value = "/run/vault")]
    pub state_dir: PathBuf,
}

/// Arguments of `rotate`.
#[derive(Args, Debug)]
pub struct Rotate {
    /// The secret's name on this host
    #[arg(value_name = "NAME")]
    pub name: String,

    /// More secrets of which a rejected version is deployed once more
    #[arg(value_name = "MORE", requires = "again")]
    pub more: Vec<String>,

    /// Deploy a rejected version of NAME and of MORE once more
    #[arg(long)]
    pub again: bool,

    /// The limits of the watch
    #[command(flatten)]
    pub limits: MonitorLimits,

    /// The directory with the state that rotations share, and `metrics.prom` for Prometheus's node
    /// exporter
    #[arg(long, value_name = "DIR", default_value = "/run/vault")]
    pub state_dir: PathBuf,

    /// The directory with notes about OpenBao that all fetches of this host share
    /// [default: /run/vault-fetch for root, else hidden files beside the output directory]
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,

    /// The connection to OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

const EXAMPLES: &str = "\
Examples:
  vault-secrets status
  vault-secrets rotate db
  vault-secrets rotate db --again  # also a version that was rejected

Exit status: 0 done; 1 the job failed, for `rotate` where NAME itself is not in place as OpenBao has
it, for `status`, `fetch` and `fetch-all` where a declared secret is not in place; 2 wrong usage or
configuration.";
