//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use cli::ConnectionArgs;

/// Look after the secrets that this host declares
///
/// The declarations are those that the NixOS module writes. The units that it makes run these
/// commands; `status` is for people.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// What is done
    #[command(subcommand)]
    pub command: Command,

    /// What this host declares
    #[arg(long, global = true, value_name = "FILE", default_value = delivery::DECLARATIONS)]
    pub declarations: PathBuf,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put new versions in place, and restart or reload the services that use them
    ///
    /// Looks after all secrets that are rotated at the same times as NAME, with one question to OpenBao.
    /// A service that does not come up with a new version gets the one before it back; that version is
    /// rejected, and not tried again by itself.
    Rotate(Rotate),

    /// Try again and again to fetch a secret, then start the services that waited for it
    ///
    /// Starts vault-secret-NAME.service with pauses that grow from a second to about a minute, until that
    /// succeeds.
    Retry {
        /// The secret's name on this host
        #[arg(value_name = "NAME")]
        name: String,
    },

    /// Remove what earlier declarations put on this host and the present ones do not
    ///
    /// Also takes over what another program left in the declared places: plain files of root's or of the
    /// secret's owner, one a key. Those in an output directory stay until the next fetch replaces them, those
    /// in a cache folder become a copy. Anything else is refused.
    Clean {
        /// Where the declared places are kept for the next time
        #[arg(
            long,
            value_name = "FILE",
            default_value = "/var/lib/vault/secrets.json"
        )]
        state: PathBuf,
    },

    /// Show which versions this host has, from where, and what was rejected; asks no server
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,

        /// Where rotations note what they did since the boot
        #[arg(long, value_name = "DIR", default_value = "/run/vault")]
        state_dir: PathBuf,
    },

    /// Write metrics of all declared secrets for Prometheus; asks no server
    Metrics {
        /// The file, which is replaced as a whole [default: stdout]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,

        /// Where rotations note what they did since the boot
        #[arg(long, value_name = "DIR", default_value = "/run/vault")]
        state_dir: PathBuf,
    },
}

/// How new versions are put in place.
#[derive(Args, Debug)]
pub struct Rotate {
    /// The secret's name on this host
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Try versions that were rejected once more
    #[arg(long)]
    pub again: bool,

    /// A service has come up when it still runs after this long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = ::cli::duration)]
    pub settle: Duration,

    /// Where metrics are written, as Prometheus's node exporter reads them [default: metrics.prom in the state directory]
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    /// What is known since the boot: which run did what, which services took which version
    #[arg(long, value_name = "DIR", default_value = "/run/vault")]
    pub state_dir: PathBuf,

    /// How to reach OpenBao
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl Rotate {
    pub(crate) fn metrics(&self) -> PathBuf {
        let default = || self.state_dir.join("metrics.prom");
        self.metrics.clone().unwrap_or_else(default)
    }
}

const EXAMPLES: &str = "\
Examples:
  vault-secrets status
  vault-secrets rotate db
  vault-secrets rotate db --again      # also a version that was rejected

Exit status: 0 done; 1 the job failed, for `rotate` where NAME itself is not in place as OpenBao has
it, for `status` where a declared secret is not in place; 2 wrong usage or configuration.";
