//! The certificates that a server may present.

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

/// The certificates that a server may present.
///
/// ```
/// use zts_net::Trust;
///
/// let trust = Trust::Bundle("/etc/openbao/ca.pem".into());
/// assert_ne!(trust, Trust::System);
/// // there is no such file
/// assert!(trust.root_certificates().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Certificates signed by the system's root certificates. Where one file holds all of these,
    /// only that file is read: Debian also keeps each in its own file, and reading those takes
    /// longer than a whole fetch.
    System,
    /// Certificates signed by those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    Environment,
    /// Certificates signed by the CA certificates in this PEM file, and these certificates
    /// themselves.
    Bundle(PathBuf),
    /// Any certificate. A machine that answers in the server's place then reads every secret.
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
        /// The system's error.
        #[source]
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
        /// The error of the TLS library.
        #[source]
        cause: rustls::Error,
    },
    /// The system has no root certificates.
    #[error("this system has no root certificates to verify the server's with")]
    NoSystemRoots,
}

impl Trust {
    /// Returns whether the CA certificates are one cluster's own, so that every server with their
    /// signature belongs to it.
    ///
    /// The system's certificates sign for everybody. They have several paths (NixOS keeps them in
    /// the store), so a bundle with more than 20 certificates counts as the system's.
    pub fn is_for_this_cluster(&self) -> bool {
        match self {
            Self::Bundle(path) => {
                let is_systems = SYSTEM_BUNDLES
                    .iter()
                    .any(|bundle| path == Path::new(bundle));
                let is_small = |bundle: Vec<_>| bundle.len() <= MOST_OF_A_CLUSTER;
                !is_systems && read_bundle(path).is_ok_and(is_small)
            }
            Self::System | Self::Environment | Self::SkipVerify => false,
        }
    }

    /// Loads the root certificates (DER); none where nothing is verified.
    ///
    /// # Errors
    /// A bundle that cannot be read, or a system without root certificates.
    pub fn root_certificates(&self) -> Result<Vec<Vec<u8>>, TrustError> {
        let roots = self.load_certificates()?.unwrap_or_default();
        Ok(roots.iter().map(|root| root.to_vec()).collect())
    }

    /// Returns the configuration of a TLS client.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        client_config(self.load_certificates()?).map_err(|cause| TrustError::Tls { cause })
    }

    fn load_certificates(&self) -> Result<Option<Vec<CertificateDer<'static>>>, TrustError> {
        match self {
            Self::System => system_roots().map(Some),
            Self::Environment => native_roots().map(Some),
            Self::Bundle(path) => read_bundle(path).map(Some),
            Self::SkipVerify => Ok(None),
        }
    }
}

/// The most bytes that are read of a bundle: a path may lead to a device that never ends.
const LARGEST_BUNDLE: u64 = 16 << 20;

fn read_bundle(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_BUNDLE).read_to_end(&mut text))
        .map_err(|cause| TrustError::Read {
            path: path.to_owned(),
            cause,
        })?;
    // a private key beside the certificates is skipped
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.unwrap_or_default();
    if certificates.is_empty() {
        return Err(TrustError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

/// The most CA certificates of one cluster. A system has a hundred and more.
const MOST_OF_A_CLUSTER: usize = 20;

/// The files with a system's root certificates: Debian, NixOS, Arch; Fedora; openSUSE.
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
    let roots = rustls_native_certs::load_native_certs().certs;
    if roots.is_empty() {
        return Err(TrustError::NoSystemRoots);
    }
    Ok(roots)
}
