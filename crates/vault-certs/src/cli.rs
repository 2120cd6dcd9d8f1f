//! The command line.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

/// Make OpenBao's certificates and replace them before they end
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) enum Command {
    /// Make a new authority file: the secret that a cluster's CAs are derived from
    Authority {
        /// Where to write it; an existing file is never overwritten. Without it, to stdout
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,

        /// How long a CA signs before the next one does
        #[arg(long, value_name = "TIME", default_value = "90days", value_parser = ::cli::duration)]
        period: Duration,
    },

    /// On a node: make what is missing, replace what is due
    Renew(Renew),

    /// On a client: take over the CA certificates that come next
    ///
    /// Asks each server for the chain that it shows, and takes from it the CA certificates that a CA which is
    /// trusted already has signed. Those that have ended are dropped.
    Fetch(Fetch),

    /// Bring the CA certificates to Kubernetes: a ConfigMap `vault-tls` with the key `ca.crt` in each namespace
    ///
    /// Prints the manifests, or applies those that the cluster lacks. Says `changed` or `unchanged` then.
    Kubernetes(Kubernetes),

    /// Show a node's certificates and until when they are good
    Show {
        /// Where they are
        #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao-certs")]
        directory: PathBuf,
    },
}

/// On a node.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) struct Renew {
    /// The authority file: the same on all nodes of a cluster
    #[arg(long, value_name = "FILE")]
    pub(crate) authority: PathBuf,

    /// Make the authority file where it is missing, with CAs that sign for so long: for a node that is alone
    #[arg(long, value_name = "TIME", value_parser = ::cli::duration)]
    pub(crate) create_authority: Option<Duration>,

    /// Where `chain.pem`, `key.pem` and `ca.pem` go
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao-certs")]
    pub(crate) directory: PathBuf,

    /// The cluster's name: a part of the CA's
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: String,

    /// A host name that the certificate is good for, beside `localhost`; as often as needed
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,

    /// An IP address that it is good for, beside 127.0.0.1 and ::1; as often as needed
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Vec<IpAddr>,

    /// The group that may read the private key
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// How long a certificate is good, at most as long as a CA signs; it is replaced when a third of that is over
    #[arg(long, value_name = "TIME", default_value = "30days", value_parser = ::cli::duration)]
    pub(crate) lifetime: Duration,

    /// Reload this unit when something changed
    #[arg(long, value_name = "UNIT")]
    pub(crate) reload_unit: Option<String>,

    /// What time it is (seconds since 1970): to try out what happens later
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub(crate) at: Option<u64>,
}

/// On a client.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) struct Fetch {
    /// OpenBao's address, or several of one cluster with commas between [env: BAO_ADDR, VAULT_ADDR]
    #[arg(long, value_name = "URL")]
    pub(crate) address: Option<String>,

    /// CA certificates (PEM) that are trusted from the beginning
    #[arg(long, value_name = "FILE")]
    pub(crate) initial: Option<PathBuf>,

    /// The CA certificates (PEM) that are kept current
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// For Kubernetes.
#[derive(Args, Debug)]
pub(crate) struct Kubernetes {
    /// The CA certificates (PEM)
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/openbao-certs/ca.pem"
    )]
    pub(crate) ca: PathBuf,

    /// A namespace; as often as needed. With `--apply` and without any: all that there are
    #[arg(long, value_name = "NAME", required_unless_present = "apply")]
    pub(crate) namespace: Vec<String>,

    /// Apply what the cluster lacks, with `kubectl`
    #[arg(long)]
    pub(crate) apply: bool,

    /// How `kubectl` reaches the cluster; without it, as `kubectl` finds by itself
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  vault-certs authority --output authority
  vault-certs renew --authority /etc/openbao/authority --cluster main --name bao1 --address 10.0.0.21
  vault-certs fetch --address https://bao1:8200,https://bao2:8200 --output /etc/openbao-ca.pem
  vault-certs kubernetes --ca ca.pem --namespace default --namespace web > vault-tls.yaml
  vault-certs kubernetes --ca ca.pem --apply

Exit status: 0 done; 1 not; 2 wrong usage or configuration.";
