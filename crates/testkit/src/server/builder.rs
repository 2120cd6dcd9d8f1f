//! What a server can be like.

use std::{path::PathBuf, sync::Arc};

use super::{Keys, Ports, Server, configuration};
use crate::{Certificates, Proxy, ServerCertificate, port::Port, scratch_dir};

/// Builds a [`Server`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(super) tls: Option<Certificate>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) kept_elsewhere: Option<(ServerCertificate, PathBuf)>,
    pub(super) raft: Option<String>,
    pub(super) join: Option<String>,
    pub(super) audit: Audit,
    pub(super) metrics: bool,
    pub(super) read_timeout: Option<&'static str>,
    pub(super) without_inline_auth: bool,
}

/// Where audit devices come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Audit {
    /// There are none.
    #[default]
    None,
    /// One of type file stands in the configuration.
    Declared,
    /// Administrators may add some.
    ByApi,
}

/// Which certificate a server with TLS shows. The clients trust the server's
/// [`Server::ca_certificate`] in all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For 127.0.0.1 and localhost, signed by that authority.
    Good,
    /// For another name only.
    AnotherName,
    /// Expired in 2021.
    Expired,
    /// Signed by another authority.
    AnotherAuthority,
}

impl Builder {
    /// Speaks TLS and shows `certificate`.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.tls = Some(certificate);
        self
    }

    /// Speaks TLS with files that somebody else keeps, and that the CA certificates in `authority` vouch
    /// for; after a change of them: [`Server::reload`].
    #[must_use]
    pub fn shows(mut self, files: ServerCertificate, authority: PathBuf) -> Self {
        self.tls = Some(Certificate::Good);
        self.kept_elsewhere = Some((files, authority));
        self
    }

    /// Keeps its data on disk (raft, the storage that OpenBao recommends), so that it can be
    /// restarted. Takes two seconds longer: a new raft waits for a leader before it elects itself.
    #[must_use]
    pub fn raft(mut self) -> Self {
        self.raft = Some("node1".to_owned());
        self
    }

    /// Writes each request to an audit device; see [`Server::audited`].
    #[must_use]
    pub fn audit(mut self) -> Self {
        self.audit = Audit::Declared;
        self
    }

    /// Lets administrators add audit devices, as before OpenBao 2.4.
    #[must_use]
    pub fn audit_by_api(mut self) -> Self {
        self.audit = Audit::ByApi;
        self
    }

    /// Gives its metrics to everybody, as the NixOS module sets it up.
    #[must_use]
    pub fn metrics(mut self) -> Self {
        self.metrics = true;
        self
    }

    /// How long a request may take to come in, its body included, such as `1s`; 30 seconds by default.
    #[must_use]
    pub fn read_timeout(mut self, time: &'static str) -> Self {
        self.read_timeout = Some(time);
        self
    }

    /// With `false`: a server that does not know inline authentication.
    ///
    /// OpenBao 2.7 has no option that turns it off, so a proxy takes its headers out on their way,
    /// as reverse proxies do with headers that they do not know. The answers are OpenBao's own.
    #[must_use]
    pub fn inline_auth(mut self, known: bool) -> Self {
        self.without_inline_auth = !known;
        self
    }

    /// Starts it; ready for requests when this returns.
    pub fn start(self) -> Server {
        let mut server = self.prepare();
        server.launch();
        server.initialise();
        server.unseal();
        server.mount_kv();
        server
    }

    /// A server that has its folder, ports and certificates, and does not run yet.
    pub(super) fn prepare(mut self) -> Server {
        if self.tls.is_some() && self.certificates.is_none() && self.kept_elsewhere.is_none() {
            self.certificates = Some(Arc::new(Certificates::new()));
        }
        let ports = Ports {
            api: Port::free(),
            cluster: Port::free(),
        };
        let mut server = Server {
            certificates: self.certificates.clone(),
            proxy: None,
            process: None,
            keys: Keys::default(),
            ports,
            folder: scratch_dir(),
            builder: self,
        };
        let shown = server
            .builder
            .shown_certificate(server.certificates.as_deref());
        if server.builder.without_inline_auth {
            server.proxy = Some(stripping_proxy(&server.own_address(), shown.as_ref()));
        }
        configuration::write(&server, shown.as_ref());
        server
    }

    /// `bao` itself speaks plain HTTP where a proxy before it ends the TLS.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() && !self.without_inline_auth {
            "https"
        } else {
            "http"
        }
    }

    pub(super) fn is_raft(&self) -> bool {
        self.raft.is_some()
    }

    fn shown_certificate(&self, certificates: Option<&Certificates>) -> Option<ServerCertificate> {
        if let Some((files, _)) = &self.kept_elsewhere {
            return Some(files.clone());
        }
        let certificates = certificates?;
        Some(match self.tls? {
            Certificate::Good => certificates.server(),
            Certificate::AnotherName => certificates.for_another_name(),
            Certificate::Expired => certificates.expired(),
            Certificate::AnotherAuthority => certificates.from_another_authority(),
        })
    }
}

fn stripping_proxy(server: &str, shown: Option<&ServerCertificate>) -> Proxy {
    let proxy = shown.map_or_else(|| Proxy::to(server), |shown| Proxy::with_tls(server, shown));
    proxy.always(crate::Trouble::StripHeaders(
        "x-vault-inline-auth-".to_owned(),
    ));
    proxy
}
