//! A host and what it declares.

use cli::Failure;
use delivery::{Declarations, DeclaredSecret, SecretPath};

/// A host that is looked into.
#[derive(Debug)]
pub(crate) struct Host {
    /// What the flake or the file calls it.
    pub(crate) name: String,
    pub(crate) declared: Declarations,
}

impl Host {
    /// Checks what is going to be part of a path in OpenBao.
    pub(crate) fn new(name: String, declared: Declarations) -> Result<Self, Failure> {
        let openbao = &declared.openbao;
        let hostname = &declared.hostname;
        if hostname.contains('/') {
            return Err(no_path(&name, "hostname", hostname, "it has a `/`"));
        }
        for (what, path) in [
            ("hostname", hostname),
            ("kv_mount", &openbao.kv_mount),
            ("approle_mount", &openbao.approle_mount),
        ] {
            check(&name, what, path)?;
        }
        for (secret, DeclaredSecret { secret_path, .. }) in &declared.secrets {
            check(&name, &format!("secret_path of `{secret}`"), secret_path)?;
        }
        Ok(Self { name, declared })
    }

    /// The folder in the KV mount that is this host's own.
    pub(crate) fn folder(&self) -> String {
        format!("hosts/{}", self.declared.hostname)
    }

    /// The policy that is this host's own.
    pub(crate) fn policy(&self) -> String {
        format!("host-{}", self.declared.hostname)
    }

    pub(crate) fn kv_mount(&self) -> &str {
        &self.declared.openbao.kv_mount
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        let namespace = self.declared.openbao.namespace.as_deref();
        namespace.filter(|namespace| !namespace.is_empty())
    }

    /// Its secrets by name.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&str, &DeclaredSecret)> {
        let secrets = self.declared.secrets.iter();
        secrets.map(|(name, secret)| (name.as_str(), secret))
    }

    /// Whether `other` has its secrets in the same KV mount.
    pub(crate) fn shares_mount(&self, other: &Self) -> bool {
        self.namespace() == other.namespace() && self.kv_mount() == other.kv_mount()
    }
}

fn check(host: &str, what: &str, path: &str) -> Result<(), Failure> {
    path.parse::<SecretPath>()
        .map(|_| ())
        .map_err(|reason| no_path(host, what, path, &reason))
}

fn no_path(host: &str, what: &str, path: &str, reason: &str) -> Failure {
    Failure::usage(format_args!(
        "host `{host}`: {what} is {path:?}, which cannot be a place in OpenBao: {reason}"
    ))
}
