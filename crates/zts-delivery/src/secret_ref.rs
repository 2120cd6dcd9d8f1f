//! The secret that a host reads: a path, and the engine that has it.

use zts_openbao::kv::SecretSelector;

use crate::{CertificateRequest, SshCertificateRequest};

/// The secret that a host reads.
#[derive(Clone, Copy, Debug)]
pub struct SecretRef<'a> {
    /// The path: of a KV secret, in its mount; else the API path, such as `pki/sign/web`.
    pub path: &'a str,
    /// The engine, with the parameters of a read.
    pub engine: Engine<'a>,
}

/// The engine of a secret, with the parameters of a read.
#[derive(Clone, Copy, Debug)]
pub enum Engine<'a> {
    /// KV version 2.
    Kv {
        /// Its mount.
        mount: &'a str,
        /// The version that is pinned; `None` for the newest.
        version: Option<u64>,
    },
    /// Any engine, by a read.
    Read,
    /// The database engine, for a static role.
    DatabaseStatic,
    /// The PKI engine, for a certificate of a key that the host makes.
    Pki(&'a CertificateRequest),
    /// The SSH engine, for a certificate of the host's key.
    Ssh(&'a SshCertificateRequest),
}

impl<'a> SecretRef<'a> {
    /// Returns the secret and the version for a read of a KV secret, with its mount; `None` for
    /// another engine.
    pub fn kv(self) -> Option<(&'a str, SecretSelector<'a>)> {
        let Engine::Kv { mount, version } = self.engine else {
            return None;
        };
        let path = self.path;
        Some((mount, SecretSelector { path, version }))
    }

    /// Returns a secret in the KV engine `secret`.
    #[cfg(test)]
    pub(crate) fn in_kv(path: &'a str) -> Self {
        let (mount, version) = ("secret", None);
        Self {
            path,
            engine: Engine::Kv { mount, version },
        }
    }

    /// Returns whether it is a certificate, which the host keeps until it is due.
    pub fn is_certificate(self) -> bool {
        matches!(self.engine, Engine::Pki(_) | Engine::Ssh(_))
    }

    /// Returns the mount of the KV engine; empty for another engine, whose path begins with it.
    pub fn kv_mount(self) -> &'a str {
        self.kv().map_or("", |(mount, _)| mount)
    }
}
