//! The declared source of a secret.

use serde::Deserialize;

use crate::{CertificateRequest, Engine, SshCertificateRequest};

/// The source of a secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredSource {
    /// KV version 2.
    #[default]
    Kv,
    /// A read of any engine.
    Read,
    /// A static role of the database engine.
    DatabaseStatic,
    /// A certificate of the PKI engine.
    Pki(CertificateRequest),
    /// A certificate of the SSH engine.
    Ssh(SshCertificateRequest),
}

impl DeclaredSource {
    /// Returns the engine; of KV, with its mount and the version that is pinned.
    pub fn engine<'a>(&'a self, mount: &'a str, version: Option<u64>) -> Engine<'a> {
        match self {
            Self::Kv => Engine::Kv { mount, version },
            Self::Read => Engine::Read,
            Self::DatabaseStatic => Engine::DatabaseStatic,
            Self::Pki(request) => Engine::Pki(request),
            Self::Ssh(request) => Engine::Ssh(request),
        }
    }
}
