//! Reads of secrets, by their engines.

use std::{collections::BTreeMap, path::Path, time::Duration};

use zts_openbao::{
    Client, Error, SecretMap,
    engine::{self, CertificateParameters, SshParameters},
    kv::{self, SecretSelector, SecretVersion, VersionMetadata},
    sys,
};

use crate::{
    Cache, CertificateRequest, DeployedVersion, Engine, QueryError, SecretIdentity, SecretRef,
    SshCertificateRequest,
    certificate::{CertificateOrder, CurrentCertificate, SshCertificate, read_public_key},
    numbering,
    session::{LoginState, Session},
};

/// The state of a secret on this host, as far as a read needs it.
#[derive(Clone, Copy)]
pub struct HostState<'a> {
    /// The secret's full name.
    pub identity: &'a SecretIdentity,
    /// The newest version that the host has had.
    pub seen: Option<&'a DeployedVersion>,
    /// The output directory.
    pub output: &'a Path,
    /// The cache.
    pub cache: Option<&'a Cache>,
    /// Set where a certificate is replaced also if it is not due.
    pub must_renew: bool,
}

impl HostState<'_> {
    /// Returns the version of the host's certificate, if that is not due; `None` where only
    /// OpenBao has the version to deploy.
    pub fn version_without_query(&self, secret: SecretRef<'_>) -> Option<VersionMetadata> {
        let current = self.find_certificate(secret)?;
        (!self.is_due(&current)).then(|| current.metadata().clone())
    }

    /// Returns the host's certificate with the time that is left of it, unless it has expired. It
    /// stays usable where OpenBao refuses another one: the host has it already.
    pub(crate) fn valid_certificate(
        &self,
        secret: SecretRef<'_>,
    ) -> Option<(SecretVersion, Duration)> {
        let current = self.find_certificate(secret)?;
        let left = current.time_left()?;
        Some((current.into_version(), left))
    }

    fn find_certificate(&self, secret: SecretRef<'_>) -> Option<CurrentCertificate> {
        let is_certificate = secret.is_certificate();
        let find =
            || CurrentCertificate::find(secret.engine, self.identity, self.output, self.cache);
        is_certificate.then(find).flatten()
    }

    fn is_due(&self, current: &CurrentCertificate) -> bool {
        self.must_renew || current.is_due(self.cache_folder(), self.output)
    }

    fn cache_folder(&self) -> Option<&Path> {
        self.cache.map(Cache::folder)
    }
}

impl Session<'_> {
    /// Returns a secret's newest version, or the one that is pinned. A certificate that is not due
    /// is the host's own, without a query.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn read(
        &mut self,
        secret: SecretRef<'_>,
        host: HostState<'_>,
    ) -> Result<SecretVersion, QueryError> {
        let path = secret.path;
        if let Some(current) = host.find_certificate(secret)
            && !host.is_due(&current)
        {
            return Ok(current.into_version());
        }
        match secret.engine {
            Engine::Kv { mount, version } => {
                self.read_kv(mount, SecretSelector { path, version }, host.seen)
            }
            Engine::Read => {
                let values = self.query_confirmed(|client| engine::read(client, path))?;
                Ok(self.numbered(values, None, host))
            }
            Engine::DatabaseStatic => self.read_static_credentials(path, host),
            Engine::Pki(request) => self.order_certificate(path, request, host),
            Engine::Ssh(request) => self.order_ssh_certificate(path, request, host),
        }
    }

    /// Sends a request. An absence is believed only of the active node, because a standby may lag
    /// behind.
    fn query_confirmed<T>(
        &mut self,
        request: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, QueryError> {
        match self.query(&request) {
            Err(QueryError::Gone(absence)) => {
                self.query_active_node(request, |error| error.leaving_unconfirmed(absence))
            }
            answer => answer,
        }
    }

    /// Returns the credentials of a static role. Older ones than the host's are believed only of
    /// the active node.
    fn read_static_credentials(
        &mut self,
        path: &str,
        host: HostState<'_>,
    ) -> Result<SecretVersion, QueryError> {
        let request = |client: &Client| engine::read_static_credentials(client, path);
        let found = self.query_confirmed(request)?;
        let version = self.numbered(found.values, Some(found.rotated), host);
        let is_older = |seen: &DeployedVersion| seen.was_written_after(&version.metadata);
        if !host.seen.is_some_and(is_older) {
            return Ok(version);
        }
        let number = version.metadata.version;
        let found = self.query_active_node(request, |error| {
            error.leaving_version_unconfirmed(path, number)
        })?;
        Ok(self.numbered(found.values, Some(found.rotated), host))
    }

    /// Returns the version with these values. OpenBao has no number for it, so the host counts.
    fn numbered(
        &self,
        values: SecretMap,
        created_time: Option<String>,
        host: HostState<'_>,
    ) -> SecretVersion {
        let key = &self.config.credentials.role_id; // stays where credentials are renewed
        let digest = numbering::digest(&values, created_time.as_deref(), key);
        let cache = host.cache_folder();
        let metadata = numbering::number(digest, created_time, cache, host.output);
        SecretVersion {
            values: Ok(values),
            metadata,
        }
    }

    /// Makes a key, and asks for a certificate of it.
    fn order_certificate(
        &mut self,
        path: &str,
        request: &CertificateRequest,
        host: HostState<'_>,
    ) -> Result<SecretVersion, QueryError> {
        let order = CertificateOrder::new(request).map_err(|reason| unusable(path, reason))?;
        let (names, addresses) = request.alternative_names();
        let parameters = CertificateParameters {
            csr: order.signing_request(),
            common_name: &request.common_name,
            alt_names: &names,
            ip_sans: &addresses,
            ttl: request.ttl.as_deref(),
        };
        let issued = self.query(|client| engine::sign_certificate(client, path, &parameters));
        let issued = issued.map_err(keeping_certificate)?;
        let certificate = order.accept(&issued);
        let certificate = certificate.map_err(|reason| unusable(path, reason))?;
        Ok(next_version(certificate.values(), host))
    }

    /// Asks for a certificate of the host's SSH key.
    fn order_ssh_certificate(
        &mut self,
        path: &str,
        request: &SshCertificateRequest,
        host: HostState<'_>,
    ) -> Result<SecretVersion, QueryError> {
        let key = read_public_key(request).map_err(|reason| unusable(path, reason))?;
        let parameters = SshParameters {
            public_key: &key,
            cert_type: "host",
            valid_principals: &request.principals.join(","),
            ttl: request.ttl.as_deref(),
        };
        let issued = self.query(|client| engine::sign_ssh_key(client, path, &parameters));
        let issued = issued.map_err(keeping_certificate)?;
        let refused = |reason: String| unusable(path, format!("that OpenBao issued {reason}"));
        let certificate = SshCertificate::parse(&issued).ok_or_else(|| {
            refused("cannot be used: it is damaged, or not for a host".to_owned())
        })?;
        match certificate.find_lacking(request) {
            None => Ok(next_version(certificate.values(), host)),
            Some(name) => Err(refused(format!("lacks the name `{name}`"))),
        }
    }

    /// Returns a KV secret's newest version, or the one that is pinned. `seen` is the newest
    /// version that the host has had: an older one, and the absence of the secret, are believed
    /// only of the active node, because a standby may lag behind.
    fn read_kv(
        &mut self,
        mount: &str,
        secret: SecretSelector<'_>,
        seen: Option<&DeployedVersion>,
    ) -> Result<SecretVersion, QueryError> {
        let request = |client: &Client| kv::read(client, mount, secret);
        let is_outdated =
            |version: &VersionMetadata| seen.is_some_and(|seen| seen.is_newer_than(version));
        let result = match self.query_confirmed(request) {
            Ok(outdated) if is_outdated(&outdated.metadata) => {
                let version = outdated.metadata.version;
                self.query_active_node(request, |error| {
                    error.leaving_version_unconfirmed(secret.path, version)
                })
            }
            result => result,
        };
        match result {
            Err(QueryError::Gone(Error::NotFound { .. })) if self.detect_kv_version_1(mount) => {
                let mount = mount.to_owned();
                Err(QueryError::Other(Error::KvVersion1 { mount }))
            }
            Err(QueryError::Gone(Error::NotFound { path, api_error })) => {
                let absence = Error::NotFound { path, api_error };
                Err(self
                    .find_missing_version(mount, secret)
                    .unwrap_or(QueryError::Gone(absence)))
            }
            result => result,
        }
    }

    /// Returns the error of a pinned version that OpenBao does not have, while it has the secret.
    /// One that it dropped (`max_versions`) was not revoked, so a copy may stand in.
    fn find_missing_version(
        &mut self,
        mount: &str,
        secret: SecretSelector<'_>,
    ) -> Option<QueryError> {
        let path = secret.path;
        let version = secret.version?;
        let metadata =
            self.query_active_node(|client| kv::metadata(client, mount, path), |error| error);
        let newest = metadata.ok()?.current_version;
        Some(QueryError::Unavailable(Error::NoSuchVersion {
            path: path.to_owned(),
            version,
            newest,
        }))
    }

    /// Queries whether nothing was found because the engine is of version 1, which uses other
    /// paths. This needs a token: it logs in where there is none, and keeps the token.
    fn detect_kv_version_1(&mut self, mount: &str) -> bool {
        if self.login_state != LoginState::LoggedIn && self.log_in().is_err() {
            return false;
        }
        sys::visible_mount(&self.client, mount).is_ok_and(|mount| mount.is_kv_version_1())
    }

    /// Returns the versions of a secret, by any node's answer: an absence is no proof that the
    /// secret is gone.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn metadata(
        &mut self,
        mount: &str,
        secret: &str,
    ) -> Result<kv::SecretMetadata, QueryError> {
        self.query(|client| kv::metadata(client, mount, secret))
    }

    /// Returns the secrets in a folder with the versions of each, by any node's answer: an absence
    /// is no proof that they are gone.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn list(
        &mut self,
        mount: &str,
        folder: &str,
    ) -> Result<BTreeMap<String, kv::SecretMetadata>, QueryError> {
        self.query(|client| kv::list_detailed(client, mount, folder))
    }
}

/// Turns the absence of a path into a refusal: no certificate that a host has is removed for that.
fn keeping_certificate(error: QueryError) -> QueryError {
    match error {
        QueryError::Gone(cause) => QueryError::Other(cause),
        error => error,
    }
}

fn unusable(path: &str, reason: String) -> QueryError {
    QueryError::Other(Error::Certificate {
        path: path.to_owned(),
        reason,
    })
}

/// Returns the version that follows those that the host has had.
fn next_version(values: SecretMap, host: HostState<'_>) -> SecretVersion {
    SecretVersion {
        values: Ok(values),
        metadata: numbering::next(host.seen, host.cache_folder(), host.output),
    }
}
