//! Hosts with their declarations, and commands for their secrets.

use std::net::IpAddr;

use zts_cli::{Failure, shell_word};
use zts_delivery::{Declarations, DeclaredSecret, SecretPath};

/// A host that is inspected.
#[derive(Debug)]
pub(crate) struct Host {
    /// The name in the flake or the file.
    pub(crate) name: String,
    pub(crate) declared: Declarations,
    /// The addresses in its configuration, as far as they are known.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Host {
    /// Checks the parts of paths in OpenBao. An address may have a prefix length.
    pub(crate) fn new(
        name: String,
        declared: Declarations,
        addresses: &[String],
    ) -> Result<Self, Failure> {
        let openbao = &declared.openbao;
        let hostname = &declared.hostname;
        if hostname.contains('/') {
            return Err(invalid_path(&name, "hostname", hostname, "it has a `/`"));
        }
        for (field, path) in [
            ("hostname", hostname),
            ("kv_mount", &openbao.kv_mount),
            ("approle_mount", &openbao.approle_mount),
        ] {
            check_path(&name, field, path)?;
        }
        for (secret, DeclaredSecret { secret_path, .. }) in &declared.secrets {
            check_path(&name, &format!("secret_path of `{secret}`"), secret_path)?;
        }
        let addresses = addresses.iter().filter_map(|text| {
            let address = text.split('/').next().unwrap_or_default();
            address.parse().ok()
        });
        Ok(Self {
            name,
            declared,
            addresses: addresses.collect(),
        })
    }

    /// Returns the host's folder in the KV mount.
    pub(crate) fn folder(&self) -> String {
        format!("hosts/{}", self.declared.hostname)
    }

    /// Returns the name of the host's policy, which OpenBao has in lower case.
    pub(crate) fn policy(&self) -> String {
        format!("host-{}", self.declared.hostname.to_lowercase())
    }

    pub(crate) fn kv_mount(&self) -> &str {
        &self.declared.openbao.kv_mount
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        let namespace = self.declared.openbao.namespace.as_deref();
        namespace.filter(|namespace| !namespace.is_empty())
    }

    /// Returns the declared secrets by name.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&str, &DeclaredSecret)> {
        let secrets = self.declared.secrets.iter();
        secrets.map(|(name, secret)| (name.as_str(), secret))
    }

    /// Returns the declared secrets that are in the KV engine, by name.
    pub(crate) fn kv_secrets(&self) -> impl Iterator<Item = (&str, &DeclaredSecret)> {
        self.secrets().filter(|(_, secret)| secret.is_in_kv())
    }

    /// Returns whether `other` has its secrets in the same KV mount.
    pub(crate) fn shares_mount(&self, other: &Self) -> bool {
        self.namespace() == other.namespace() && self.kv_mount() == other.kv_mount()
    }
}

fn check_path(host: &str, field: &str, path: &str) -> Result<(), Failure> {
    path.parse::<SecretPath>()
        .map(|_| ())
        .map_err(|reason| invalid_path(host, field, path, &reason))
}

fn invalid_path(host: &str, field: &str, path: &str, reason: &str) -> Failure {
    Failure::usage(format_args!(
        "host `{host}`: {field} is {path:?}, which cannot be a path in OpenBao: {reason}"
    ))
}

/// Returns the command `bao kv <verb> -mount=<mount> … <path>` for a secret of this host.
pub(crate) fn kv_command(host: &Host, verb: &str, path: &str, rest: &[String]) -> String {
    let mut words = vec![format!("bao kv {verb}{}", namespace_flag(host.namespace()))];
    words.push(format!("-mount={}", shell_word(host.kv_mount())));
    let (flags, values): (Vec<_>, Vec<_>) = rest.iter().partition(|text| text.starts_with('-'));
    words.extend(flags.into_iter().cloned());
    words.push(shell_word(path));
    words.extend(values.into_iter().cloned());
    words.join(" ")
}

/// Returns the argument `key=…` for each key.
pub(crate) fn key_arguments<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let values: Vec<_> = keys
        .into_iter()
        .map(|key| format!("{}=…", shell_word(key)))
        .collect();
    if values.is_empty() {
        return vec!["key=…".to_owned()];
    }
    values
}

/// Returns the flag ` -namespace=…`, if there is a namespace.
pub(crate) fn namespace_flag(name: Option<&str>) -> String {
    name.map(|name| format!(" -namespace={}", shell_word(name)))
        .unwrap_or_default()
}
