//! CA certificates in PEM.

use std::{io, path::Path};

use cli::Failure;
use pem::Pem;
use secure_fs::{LARGEST_TEXT, read_bounded};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

const TAG: &str = "CERTIFICATE";

/// Certificates in DER, each once, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    certificates: Vec<Vec<u8>>,
}

impl Bundle {
    /// The certificates of a PEM text; what else is in it is left out.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut bundle = Self::default();
        for part in pem::parse_many(text).map_err(|cause| cause.to_string())? {
            if part.tag() != TAG {
                continue;
            }
            let der = part.into_contents();
            parsed(&der).ok_or("a certificate in it is damaged")?;
            bundle.add(der);
        }
        Ok(bundle)
    }

    /// Reads a file; `None` where there is none.
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

    /// Adds one, unless it is there.
    pub(crate) fn add(&mut self, certificate: Vec<u8>) {
        if !self.certificates.contains(&certificate) {
            self.certificates.push(certificate);
        }
    }

    /// Keeps those that this says yes to.
    pub(crate) fn retain(&mut self, keep: impl Fn(&X509Certificate<'_>) -> bool) {
        self.certificates
            .retain(|der| parsed(der).is_some_and(|certificate| keep(&certificate)));
    }

    /// All of them, in DER.
    pub(crate) fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// As the text of a file.
    pub(crate) fn text(&self) -> String {
        self.certificates.iter().map(|der| text(der)).collect()
    }
}

/// A certificate in PEM.
pub(crate) fn text(der: &[u8]) -> String {
    pem::encode_config(
        &Pem::new(TAG, der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

/// A certificate as it can be looked into.
pub(crate) fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der)
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, certificate)| certificate)
}
