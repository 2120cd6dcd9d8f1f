//! The command line.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

/// Make OpenBao's certificates and replace them before they expire
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// The command
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) enum Command {
    /// Create an authority file: the secret that a cluster's CAs are derived from
    Authority {
        /// The new file, which must not exist; by default stdout
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,

        /// The period in which a CA signs, before the next CA does
        #[arg(long, value_name = "TIME", default_value = "90days", value_parser = zts_cli::duration)]
        period: Duration,
    },

    /// On a node: create missing files and replace certificates that are due
    Renew(Renew),

    /// On a client: add the next CA certificates to the trusted ones
    ///
    /// Reads the certificate chain of each server, and adds the CA certificates in it that an
    /// already trusted CA has signed. Expired ones are removed.
    Fetch(Fetch),

    /// Write the CA certificates to Kubernetes: a ConfigMap `vault-tls` with the key `ca.crt` in
    /// each namespace
    ///
    /// Prints the manifests, or applies those that the cluster lacks and prints `changed` or
    /// `unchanged`.
    Kubernetes(Kubernetes),

    /// Show a node's certificates and their validity
    Show {
        /// The folder with the node's files
        #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao-certs")]
        directory: PathBuf,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The arguments of `renew`.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) struct Renew {
    /// The authority file: the same on all nodes of a cluster
    #[arg(long, value_name = "FILE")]
    pub(crate) authority: PathBuf,

    /// Create the authority file if it is missing, with this period for its CAs: for a cluster of
    /// one node
    #[arg(long, value_name = "TIME", value_parser = zts_cli::duration)]
    pub(crate) create_authority: Option<Duration>,

    /// The folder for `chain.pem`, `key.pem` and `ca.pem`
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openbao-certs")]
    pub(crate) directory: PathBuf,

    /// The cluster's name, a part of the CA's name
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: String,

    /// A host name of the certificate, besides `localhost`; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,

    /// An IP address of the certificate, besides 127.0.0.1 and ::1; can be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Vec<IpAddr>,

    /// The group that may read the private key
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// The lifetime of a certificate, at most a CA's period; it is replaced after a third of its
    /// lifetime
    #[arg(long, value_name = "TIME", default_value = "30days", value_parser = zts_cli::duration)]
    pub(crate) lifetime: Duration,

    /// The unit to reload after a change
    #[arg(long, value_name = "UNIT")]
    pub(crate) reload_unit: Option<String>,

    /// The current time (seconds since 1970), for tests
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub(crate) at: Option<u64>,
}

/// The arguments of `fetch`.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub(crate) struct Fetch {
    /// OpenBao's address, or several of one cluster with commas between [env: BAO_ADDR, VAULT_ADDR]
    #[arg(long, value_name = "URL")]
    pub(crate) address: Option<String>,

    /// The CA certificates (PEM) that are trusted initially
    #[arg(long, value_name = "FILE")]
    pub(crate) initial: Option<PathBuf>,

    /// The CA certificates (PEM) to keep current
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// The arguments of `kubernetes`.
#[derive(Args, Debug)]
pub(crate) struct Kubernetes {
    /// The CA certificates (PEM)
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/openbao-certs/ca.pem"
    )]
    pub(crate) ca: PathBuf,

    /// A namespace; can be repeated. With `--apply`, by default all namespaces
    #[arg(long, value_name = "NAME", required_unless_present = "apply")]
    pub(crate) namespace: Vec<String>,

    /// Apply the manifests that the cluster lacks, with `kubectl`
    #[arg(long)]
    pub(crate) apply: bool,

    /// The kubeconfig file; by default `kubectl` finds its own
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  vault-certs authority --output authority
  vault-certs renew --authority /etc/openbao/authority --cluster main \\
      --name bao1 --address 10.0.0.21
  vault-certs fetch --address https://bao1:8200,https://bao2:8200 \\
      --output /etc/openbao-ca.pem
  vault-certs kubernetes --ca ca.pem --namespace default \\
      --namespace web > vault-tls.yaml
  vault-certs kubernetes --ca ca.pem --apply

Exit status: 0 done; 1 failed; 2 wrong usage or configuration.";
