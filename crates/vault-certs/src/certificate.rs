//! A node's own certificate.

use std::{net::IpAddr, time::Duration};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};
use zeroize::Zeroizing;
use zts_cli::Failure;

use crate::{authority::Authority, bundle::parse_certificate, period::date};

/// The time before the issue at which a certificate becomes valid, because clients' clocks may be
/// slow.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// The names and the lifetime of a certificate.
pub(crate) struct CertificateRequest {
    /// Host names and IP addresses, sorted, each once.
    names: Vec<String>,
    lifetime: Duration,
    /// The current time in seconds since 1970.
    now: u64,
}

/// A certificate (DER) and its key (PEM).
pub(crate) struct IssuedCertificate {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Zeroizing<String>,
}

impl CertificateRequest {
    /// Returns a request for these names and addresses, and for the loopback ones.
    ///
    /// # Errors
    /// A name is no host name.
    pub(crate) fn new(
        names: &[String],
        addresses: &[IpAddr],
        lifetime: Duration,
        now: u64,
    ) -> Result<Self, Failure> {
        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let addresses = addresses.iter().map(IpAddr::to_string);
        let names = names.iter().map(|name| normalize_host(name));
        let mut names = names.collect::<Result<Vec<_>, _>>()?;
        names.extend(addresses.chain(own));
        names.sort();
        names.dedup();
        Ok(Self {
            names,
            lifetime,
            now,
        })
    }

    /// Returns the reason why a certificate and its key do not fit the request; `None` where they
    /// do.
    ///
    /// # Errors
    /// The CA's certificate cannot be made.
    pub(crate) fn reason_to_renew(
        &self,
        certificate: &[u8],
        key: &str,
        signer: &Authority,
    ) -> Result<Option<&'static str>, Failure> {
        let authority = signer.certificate()?;
        let (Some(current), Some(authority)) = (
            parse_certificate(certificate),
            parse_certificate(authority.der()),
        ) else {
            return Ok(Some("it is damaged"));
        };
        let Ok(key) = KeyPair::from_pem(key) else {
            return Ok(Some("its key is damaged"));
        };
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let until = current.validity().not_after.timestamp();
        Ok(
            if current.public_key().subject_public_key.data != key.der_bytes() {
                Some("its key does not fit")
            } else if current
                .verify_signature(Some(authority.public_key()))
                .is_err()
            {
                Some("another CA signed it")
            } else if subject_names(&current) != self.names {
                Some("its names differ")
            } else if current.validity().not_before.timestamp() > now {
                Some("it is not valid yet")
            } else if until - now < lifetime - lifetime / 3 {
                Some("it is due")
            } else if until - now > lifetime {
                Some("it would be valid for too long")
            } else {
                None
            },
        )
    }

    /// Generates a key and issues a certificate for it.
    ///
    /// # Errors
    /// X.509 cannot represent a name.
    pub(crate) fn issue(&self, signer: &Authority) -> Result<IssuedCertificate, Failure> {
        let failed = |cause: rcgen::Error| {
            Failure::failed(format!(
                "the certificate for {} could not be made: {cause}",
                self.names.join(", ")
            ))
        };
        let mut parameters = CertificateParams::new(self.names.clone()).map_err(failed)?;
        parameters.distinguished_name.remove(DnType::CommonName);
        if let Some(name) = self.common_name() {
            parameters.distinguished_name.push(DnType::CommonName, name);
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth, // to the other nodes
        ];
        parameters.use_authority_key_identifier_extension = true;
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        parameters.not_before = date(now - seconds(CLOCK_SKEW));
        parameters.not_after = date(now.saturating_add(seconds(self.lifetime)));
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters
            .signed_by(&key, &signer.issuer())
            .map_err(failed)?;
        Ok(IssuedCertificate {
            certificate: certificate.der().to_vec(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// Returns the first host name other than `localhost`, which only people read.
    fn common_name(&self) -> Option<&str> {
        let names = self.names.iter().map(String::as_str);
        names
            .filter(|name| name.parse::<IpAddr>().is_err() && *name != "localhost")
            .find(|name| name.len() <= 64)
    }
}

/// Normalizes a host name or address, so that it equals the one in a certificate.
fn normalize_host(name: &str) -> Result<String, Failure> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    if is_host_name(name) {
        return Ok(name.to_owned());
    }
    Err(Failure::usage(format!("`{name}` is no host name"))
        .hint("letters, digits, `-` and dots, such as `bao1.example.com`; no port, no `https://`"))
}

/// Returns whether clients accept the name: they would refuse a whole certificate for one invalid
/// name.
fn is_host_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    let name = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Returns the host names and addresses of a certificate, sorted.
fn subject_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let mut names: Vec<_> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => {
                parse_address(bytes).map(|address| address.to_string())
            }
            _ => None,
        })
        .collect();
    names.sort();
    names
}

fn parse_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}
