//! Which certificates a server may show.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Which certificates a server may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system's root certificates vouch for.
    System,
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
    /// The system has no root certificates.
    #[error("this system has no root certificates to verify OpenBao's with")]
    NoSystemRoots,
}

impl Trust {
    /// The CA certificates (DER) that count; none where nothing is verified.
    ///
    /// # Errors
    /// A bundle that cannot be read, or a system without root certificates.
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, TrustError> {
        let roots = match self {
            Self::System => system_roots()?,
            Self::Bundle(path) => read_bundle(path)?,
            Self::SkipVerify => Vec::new(),
        };
        Ok(roots.iter().map(|root| root.der().to_vec()).collect())
    }

    /// The TLS settings of a client; `needed` is false when no address is `https://`, and then
    /// nothing is loaded: reading 140 system roots takes longer than a fetch.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub fn tls_config(&self, needed: bool) -> Result<TlsConfig, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
        let roots = match self {
            _ if !needed => Vec::new(),
            Self::System => system_roots()?,
            Self::Bundle(path) => read_bundle(path)?,
            Self::SkipVerify => return Ok(builder.disable_verification(true).build()),
        };
        Ok(builder
            .root_certs(RootCerts::new_with_certs(&roots))
            .build())
    }
}

/// More than all CA certificates of the world: a path may lead to something without an end.
const LONGEST: u64 = 16 << 20;

fn read_bundle(path: &PathBuf) -> Result<Vec<Certificate<'static>>, TrustError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut text))
        .map_err(|cause| TrustError::Read {
            path: path.clone(),
            cause,
        })?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {} // a key beside the certificates is of no use here
            Err(_) => return Err(TrustError::NoCertificate { path: path.clone() }),
        }
    }
    if certificates.is_empty() {
        return Err(TrustError::NoCertificate { path: path.clone() });
    }
    Ok(certificates)
}

fn system_roots() -> Result<Vec<Certificate<'static>>, TrustError> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err(TrustError::NoSystemRoots);
    }
    Ok(found
        .iter()
        .map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned())
        .collect())
}
