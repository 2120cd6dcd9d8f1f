//! The options of a test server.

use std::{path::PathBuf, sync::Arc};

use crate::certificates::{CertificateAuthority, ServerCertificate};

/// The options of a [`Server`](crate::Server), which [`ServerBuilder::start`] starts.
#[derive(Clone, Debug, Default)]
pub struct ServerBuilder {
    pub(super) tls: Option<CertificateKind>,
    pub(super) certificates: Option<Arc<CertificateAuthority>>,
    /// A certificate that the caller maintains, and the file of its certificate authority.
    pub(super) external_certificate: Option<(ServerCertificate, PathBuf)>,
    pub(super) raft: Option<String>,
    pub(super) join: Option<String>,
    pub(super) audit: Audit,
    pub(super) metrics: bool,
    pub(super) read_timeout: Option<&'static str>,
    pub(super) without_inline_auth: bool,
}

/// The source of a server's audit devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Audit {
    /// No audit device.
    #[default]
    None,
    /// One of type file, declared in the configuration.
    Declared,
    /// Any that administrators add through the API.
    ByApi,
}

/// The certificate that a server with TLS shows. Clients trust the server's
/// [`Server::ca_certificate`](crate::Server::ca_certificate) in all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// A certificate for 127.0.0.1 and localhost, signed by that authority.
    Valid,
    /// A certificate for another name only.
    WrongName,
    /// A certificate that expired in 2021.
    Expired,
    /// A certificate that another authority signed.
    UnknownAuthority,
}

impl ServerBuilder {
    /// Serves TLS with a certificate of this kind.
    #[must_use]
    pub fn tls(mut self, certificate: CertificateKind) -> Self {
        self.tls = Some(certificate);
        self
    }

    /// Serves TLS with files that the caller maintains; `authority` holds the CA certificates that
    /// clients trust. [`Server::reload`](crate::Server::reload) reads changed files.
    #[must_use]
    pub fn certificate_files(mut self, files: ServerCertificate, authority: PathBuf) -> Self {
        self.tls = Some(CertificateKind::Valid);
        self.external_certificate = Some((files, authority));
        self
    }

    /// Keeps the data on disk in raft storage, so that the server can be restarted. Takes two
    /// seconds longer, because a new raft node waits for a leader before it elects itself.
    #[must_use]
    pub fn raft(mut self) -> Self {
        self.raft = Some("node1".to_owned());
        self
    }

    /// Declares an audit device; see
    /// [`Server::audited_requests`](crate::Server::audited_requests).
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

    /// Serves metrics without authentication, as the NixOS module configures it.
    #[must_use]
    pub fn metrics(mut self) -> Self {
        self.metrics = true;
        self
    }

    /// Sets the time in which a request and its body must arrive, such as `1s`. The default is 30
    /// seconds.
    #[must_use]
    pub fn read_timeout(mut self, time: &'static str) -> Self {
        self.read_timeout = Some(time);
        self
    }

    /// Sets whether the server supports inline authentication.
    ///
    /// OpenBao 2.7 has no option that turns it off, so a proxy removes the headers, as reverse
    /// proxies do with headers that they do not know. The answers are OpenBao's own.
    #[must_use]
    pub fn inline_auth(mut self, known: bool) -> Self {
        self.without_inline_auth = !known;
        self
    }

    /// Returns the scheme of `bao` itself: plain HTTP where a proxy in front of it ends the TLS.
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

    /// Returns the certificate that clients see, or `None` without TLS.
    pub(super) fn issue_certificate(&self) -> Option<ServerCertificate> {
        if let Some((files, _)) = &self.external_certificate {
            return Some(files.clone());
        }
        let authority = self.certificates.as_ref()?;
        Some(match self.tls? {
            CertificateKind::Valid => authority.issue(),
            CertificateKind::WrongName => authority.issue_wrong_name(),
            CertificateKind::Expired => authority.issue_expired(),
            CertificateKind::UnknownAuthority => authority.issue_from_unknown_authority(),
        })
    }
}
