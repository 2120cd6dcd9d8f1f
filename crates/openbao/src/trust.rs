//! Which certificates a server may show.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::verifier::client_config;

/// Which certificates a server may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system's root certificates vouch for. Where these stand in one file, that is read alone:
    /// Debian has each of them in a file of its own as well, and reading all of those takes longer than a
    /// whole fetch.
    System,
    /// Those that the certificates vouch for which `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    Environment,
    /// Those that the CA certificates in this PEM file vouch for, and no others.
    Bundle(PathBuf),
    /// Any at all. Whoever can answer in the server's place then reads every secret.
    SkipVerify,
}

/// Root certificates that could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The bundle could not be read.
    #[error("the CA bundle `{}` could not be read: {cause}", path.display())]
    Read {
        /// The bundle.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The bundle holds no certificate, or a damaged one.
    #[error("the CA bundle `{}` holds no usable PEM certificate", path.display())]
    NoCertificate {
        /// The bundle.
        path: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {cause}")]
    Tls {
        /// Why not.
        cause: String,
    },
    /// The system has no root certificates.
    #[error("this system has no root certificates to verify OpenBao's with")]
    NoSystemRoots,
}

impl Trust {
    /// Whether the CA certificates were named for one cluster, so that all they vouch for is part of it.
    /// The system's vouch for everybody.
    pub fn is_for_this_cluster(&self) -> bool {
        match self {
            Self::Bundle(path) => !SYSTEM_BUNDLES
                .iter()
                .any(|bundle| path == Path::new(bundle)),
            Self::System | Self::Environment | Self::SkipVerify => false,
        }
    }

    /// The CA certificates (DER) that count; none where nothing is verified.
    ///
    /// # Errors
    /// A bundle that cannot be read, or a system without root certificates.
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, TrustError> {
        let roots = self.certificates()?.unwrap_or_default();
        Ok(roots.iter().map(|root| root.to_vec()).collect())
    }

    /// TLS of a client.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        client_config(self.certificates()?).map_err(|cause| TrustError::Tls {
            cause: cause.to_string(),
        })
    }

    fn certificates(&self) -> Result<Option<Vec<CertificateDer<'static>>>, TrustError> {
        match self {
            Self::System => system_roots().map(Some),
            Self::Environment => native_roots().map(Some),
            Self::Bundle(path) => read_bundle(path).map(Some),
            Self::SkipVerify => Ok(None),
        }
    }
}

/// More than all CA certificates of the world: a path may lead to something without an end.
const LONGEST: u64 = 16 << 20;

fn read_bundle(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut text))
        .map_err(|cause| TrustError::Read {
            path: path.to_owned(),
            cause,
        })?;
    // a key beside the certificates is of no use here, and passed over
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.unwrap_or_default();
    if certificates.is_empty() {
        return Err(TrustError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

/// Where systems keep their root certificates in one file: Debian, NixOS, Arch; Fedora; openSUSE.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

fn system_roots() -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let mut bundles = SYSTEM_BUNDLES.iter().map(Path::new);
    match bundles.find(|path| path.is_file()) {
        Some(bundle) => read_bundle(bundle),
        None => native_roots(),
    }
}

fn native_roots() -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err(TrustError::NoSystemRoots);
    }
    Ok(found)
}
