//! Bundles of CA certificates (PEM).

use std::{io, path::Path};

use pem::Pem;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};
use zts_cli::Failure;
use zts_secure_fs::{LARGEST_TEXT, read_bounded};

const TAG: &str = "CERTIFICATE";

/// Certificates (DER), each once, in the order of their addition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    certificates: Vec<Vec<u8>>,
}

impl Bundle {
    /// Parses the certificates in a PEM text, and ignores its other parts.
    ///
    /// # Errors
    /// The text is no PEM, or a certificate in it is damaged.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut bundle = Self::default();
        for part in pem::parse_many(text).map_err(|cause| cause.to_string())? {
            if part.tag() != TAG {
                continue;
            }
            let der = part.into_contents();
            parse_certificate(&der).ok_or("a certificate in it is damaged")?;
            bundle.add(der);
        }
        Ok(bundle)
    }

    /// Reads a file. Returns `None` where it does not exist.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no certificate.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let unusable = |why: String| {
            Failure::failed(format!(
                "the CA certificates `{}` cannot be used: {why}",
                path.display()
            ))
        };
        let text = match read_bounded(path, LARGEST_TEXT) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(unusable(cause.to_string())),
        };
        let bundle = Self::parse(&text).map_err(unusable)?;
        if bundle.certificates.is_empty() {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
        Ok(Some(bundle))
    }

    /// Adds a certificate that it does not have yet.
    pub(crate) fn add(&mut self, certificate: Vec<u8>) {
        if !self.certificates.contains(&certificate) {
            self.certificates.push(certificate);
        }
    }

    /// Removes the certificates for which `keep` returns false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&X509Certificate<'_>) -> bool) {
        self.certificates
            .retain(|der| parse_certificate(der).is_some_and(|certificate| keep(&certificate)));
    }

    /// Returns the certificates (DER).
    pub(crate) fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Formats the bundle in PEM.
    pub(crate) fn to_pem(&self) -> String {
        self.certificates.iter().map(|der| to_pem(der)).collect()
    }
}

/// Formats a certificate in PEM.
pub(crate) fn to_pem(der: &[u8]) -> String {
    pem::encode_config(
        &Pem::new(TAG, der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

/// Parses a certificate (DER).
pub(crate) fn parse_certificate(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der)
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, certificate)| certificate)
}
