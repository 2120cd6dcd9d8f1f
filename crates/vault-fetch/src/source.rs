//! The source of the secret, from the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zts_cli::Failure;
use zts_delivery::{CertificateRequest, DeclaredSource, SshCertificateRequest};

/// The source of the secret.
#[derive(Debug, Args)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
pub struct SourceArgs {
    /// The engine that has the secret; of any but `kv`, SECRET_PATH is the API path
    #[arg(
        long,
        value_name = "ENGINE",
        default_value = "kv",
        help_heading = "Source"
    )]
    pub source: SourceKind,

    /// The common name of the certificate, which is one of its names, too
    #[arg(
        long,
        value_name = "NAME",
        required_if_eq("source", "pki"),
        help_heading = "Source"
    )]
    pub common_name: Option<String>,

    /// Another host name or IP address of the certificate; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        requires = "common_name",
        help_heading = "Source"
    )]
    pub alt_name: Vec<String>,

    /// The file with the host's public key, such as /etc/ssh/ssh_host_ed25519_key.pub
    #[arg(
        long,
        value_name = "FILE",
        required_if_eq("source", "ssh"),
        help_heading = "Source"
    )]
    pub public_key: Option<PathBuf>,

    /// A name of the host in the certificate; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        required_if_eq("source", "ssh"),
        requires = "public_key",
        help_heading = "Source"
    )]
    pub principal: Vec<String>,

    /// The time for which the certificate is valid, such as 720h [default: the role's]
    #[arg(long, value_name = "TIME", help_heading = "Source")]
    pub ttl: Option<String>,
}

/// The engine of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceKind {
    /// KV version 2
    Kv,
    /// Any engine: reads the path, such as ssh/config/ca
    Read,
    /// Database: a static role, such as database/static-creds/app
    DatabaseStatic,
    /// PKI: a certificate for a key made here, such as pki/sign/web
    Pki,
    /// SSH: a certificate for the host's key, such as ssh/sign/host
    Ssh,
}

impl SourceArgs {
    /// Refuses flags that the source does not use. `has_version` is set where a version is pinned.
    pub(crate) fn check(&self, has_version: bool) -> Result<(), Failure> {
        let Self {
            source,
            common_name,
            public_key,
            ttl,
            ..
        } = self;
        let is_certificate = matches!(source, SourceKind::Pki | SourceKind::Ssh);
        let unused = [
            ("--secret-version", has_version && *source != SourceKind::Kv),
            (
                "--common-name",
                common_name.is_some() && *source != SourceKind::Pki,
            ),
            (
                "--public-key",
                public_key.is_some() && *source != SourceKind::Ssh,
            ),
            ("--ttl", ttl.is_some() && !is_certificate),
        ];
        match unused.into_iter().find(|(_, is_unused)| *is_unused) {
            None => Ok(()),
            Some((flag, _)) => Err(Failure::usage(format!(
                "`{flag}` is not for this source"
            ))
            .hint("`--source` names the engine that the flag is for; `vault-fetch --help` has them")),
        }
    }

    /// Returns the source as a host declares it.
    pub(crate) fn declared(&self) -> DeclaredSource {
        match self.source {
            SourceKind::Kv => DeclaredSource::Kv,
            SourceKind::Read => DeclaredSource::Read,
            SourceKind::DatabaseStatic => DeclaredSource::DatabaseStatic,
            SourceKind::Pki => DeclaredSource::Pki(CertificateRequest {
                common_name: self.common_name.clone().unwrap_or_default(),
                alt_names: self.alt_name.clone(),
                ttl: self.ttl.clone(),
            }),
            SourceKind::Ssh => DeclaredSource::Ssh(SshCertificateRequest {
                public_key: self.public_key.clone().unwrap_or_default(),
                principals: self.principal.clone(),
                ttl: self.ttl.clone(),
            }),
        }
    }
}
