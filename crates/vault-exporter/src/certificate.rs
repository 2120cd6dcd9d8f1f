//! How long certificates are good.

use x509_parser::prelude::{FromDer, X509Certificate};

/// From when until when, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// When the last of the CA certificates behind it ends.
    pub(crate) next_ca: Option<i64>,
}

impl Validity {
    /// That of a chain (DER), the server's own certificate first.
    pub(crate) fn of(chain: &[Vec<u8>]) -> Option<Self> {
        let (own, behind) = chain.split_first()?;
        let (_, own) = X509Certificate::from_der(own).ok()?;
        let validity = own.validity();
        Some(Self {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            next_ca: last_end(behind),
        })
    }
}

/// When the last of these certificates (DER) ends.
pub(crate) fn last_end(certificates: &[Vec<u8>]) -> Option<i64> {
    let ends = certificates.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    ends.max()
}
