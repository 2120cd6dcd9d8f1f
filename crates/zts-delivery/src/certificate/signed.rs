//! A signed certificate with its key: read from files, and written in the forms that services take.

use std::path::Path;

use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{KeyPair, PublicKeyData};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};
use zeroize::Zeroizing;
use zts_openbao::{SecretMap, SecretValue};
use zts_secure_fs::read_bounded;

use super::validity::Validity;

/// The names of the files, as those of `security.acme` in NixOS. `ca.pem` is for clients.
const KEY: &str = "key.pem";
const CERTIFICATE: &str = "cert.pem";
const CHAIN: &str = "chain.pem";
const FULL_CHAIN: &str = "fullchain.pem";
const FULL: &str = "full.pem";
const CA: &str = "ca.pem";

/// The largest file of a certificate that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// A certificate with its key.
pub(crate) struct Certificate {
    /// The key (PEM).
    key: Zeroizing<String>,
    /// The certificate itself.
    leaf: Pem,
    /// The certificates of the CAs: the one that signed it, and those above.
    pub(super) chain: Vec<Pem>,
}

impl Certificate {
    /// Reads the certificate of a directory. `None` where there is none that can be used.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let read = |name: &str| {
            let found = Zeroizing::new(read_bounded(&directory.join(name), LARGEST).ok()?);
            String::from_utf8(found.to_vec()).ok().map(Zeroizing::new)
        };
        Self::parse(read(KEY)?, &read(CERTIFICATE)?, &read(CHAIN)?)
    }

    /// Returns the certificate of a cached copy. `None` where it has none that can be used.
    pub(crate) fn from_values(values: &SecretMap) -> Option<Self> {
        let text = |name: &str| {
            let bytes = values.get(name)?.to_bytes();
            String::from_utf8(bytes.to_vec()).ok().map(Zeroizing::new)
        };
        Self::parse(text(KEY)?, &text(CERTIFICATE)?, &text(CHAIN)?)
    }

    /// Parses PEM texts. `None` where they hold none, or the key is another one's.
    pub(super) fn parse(key: Zeroizing<String>, certificate: &str, chain: &str) -> Option<Self> {
        let leaf = pem::parse(certificate).ok()?;
        let own = KeyPair::from_pem(&key).ok()?;
        let parsed = parse_x509(&leaf)?;
        let is_own = parsed.public_key().subject_public_key.data == own.der_bytes();
        is_own.then_some(Self {
            key,
            chain: pem::parse_many(chain).ok()?,
            leaf,
        })
    }

    /// Returns the time for which it is valid.
    pub(crate) fn validity(&self) -> Option<Validity> {
        let parsed = parse_x509(&self.leaf)?;
        Some(Validity {
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    }

    /// Returns the names and addresses for which it is valid.
    pub(super) fn names(&self) -> Vec<String> {
        let parsed = parse_x509(&self.leaf);
        let names = parsed.and_then(|parsed| {
            let extension = parsed.subject_alternative_name().ok()??;
            Some(
                extension
                    .value
                    .general_names
                    .iter()
                    .filter_map(text_of)
                    .collect(),
            )
        });
        names.unwrap_or_default()
    }

    /// Returns the files, in the forms that services take.
    pub(crate) fn values(&self) -> SecretMap {
        let certificate = encode([&self.leaf]);
        let chain = encode(&self.chain);
        let above = self.chain.iter().filter(|one| !is_self_signed(one));
        let full_chain = format!("{certificate}{}", encode(above));
        let full = Zeroizing::new(format!("{full_chain}{}", *self.key));
        let files = [
            (CA, encode(self.chain.last())),
            (CERTIFICATE, certificate),
            (CHAIN, chain),
            (FULL_CHAIN, full_chain),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), SecretValue::from_text(&text)));
        let mut files = SecretMap::from(files);
        files.insert(FULL.to_owned(), SecretValue::from_text(&full));
        files.insert(KEY.to_owned(), SecretValue::from_text(&self.key));
        files
    }
}

fn parse_x509(certificate: &Pem) -> Option<X509Certificate<'_>> {
    let (_, parsed) = X509Certificate::from_der(certificate.contents()).ok()?;
    Some(parsed)
}

/// Returns whether a CA's certificate is a root, which a server does not send. A new root that the
/// old one signed has the same name in both places.
fn is_self_signed(certificate: &Pem) -> bool {
    parse_x509(certificate).is_some_and(|parsed| {
        parsed.subject() == parsed.issuer() && parsed.verify_signature(None).is_ok()
    })
}

/// Returns a host name or an IP address as text.
fn text_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(std::net::IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            16 => Some(std::net::IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn encode<'a>(certificates: impl IntoIterator<Item = &'a Pem>) -> String {
    let format = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let certificates = certificates.into_iter();
    certificates
        .map(|one| pem::encode_config(one, format))
        .collect()
}
