//! Groups of arguments that several commands share.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

/// The places of snapshots.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Places")]
pub(crate) struct PlaceArgs {
    /// A folder with snapshots; can be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Vec<PathBuf>,

    /// A bucket of an S3 store, `https://HOST[:PORT]/BUCKET[/PREFIX]`; can be repeated. Options
    /// follow behind `?`, separated by `&`: `region=NAME`, `ca=FILE` (PEM), `credentials=FILE` (in
    /// the format of AWS's tools), `style=virtual-host`. Defaults: AWS_REGION, the system's CAs,
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the bucket in the path
    #[arg(long, value_name = "URL")]
    pub(crate) s3: Vec<String>,

    /// The time in which each request to a bucket is retried; each part of a large snapshot is one
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = zts_cli::duration)]
    pub(crate) s3_timeout: Duration,

    /// The folder for a snapshot until it is complete; by default the first `--dir`, else systemd's
    /// directory of the unit
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}

/// The login to OpenBao.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Login")]
pub(crate) struct LoginArgs {
    /// The auth method; `token` uses BAO_TOKEN, or the token that `bao login` has saved
    #[arg(long, value_name = "METHOD", default_value = "token")]
    pub(crate) auth: AuthMethod,

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

/// An auth method of OpenBao.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthMethod {
    Token,
    Approle,
    Jwt,
    Kubernetes,
}

/// The identities that open encrypted snapshots.
#[derive(Args, Clone, Debug)]
pub(crate) struct IdentityArgs {
    /// A file with an age identity that opens encrypted snapshots; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) age_identity: Vec<PathBuf>,
}

/// The keys that verify signatures.
#[derive(Args, Clone, Debug)]
pub(crate) struct VerificationArgs {
    /// A file with a public key (Ed25519, PEM); can be repeated. Snapshots that none of the keys
    /// signed are ignored
    #[arg(long, value_name = "FILE")]
    pub(crate) verification_key: Vec<PathBuf>,
}
