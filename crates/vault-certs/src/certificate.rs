//! A node's own certificate.

use std::{net::IpAddr, time::Duration};

use cli::Failure;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};
use zeroize::Zeroizing;

use crate::{authority::Authority, bundle, calendar::moment};

/// Clocks of clients may be behind ours.
const HOUR: Duration = Duration::from_secs(3600);

/// What a certificate must be good for, and how long.
pub(crate) struct Wanted {
    /// Host names and IP addresses, sorted, each once.
    names: Vec<String>,
    lifetime: Duration,
    /// Seconds since 1970.
    now: u64,
}

/// A certificate and its key.
pub(crate) struct Issued {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Zeroizing<String>,
}

impl Wanted {
    /// For these names and addresses, and the machine's own.
    ///
    /// # Errors
    /// A name that no host can have.
    pub(crate) fn new(
        names: &[String],
        addresses: &[IpAddr],
        lifetime: Duration,
        now: u64,
    ) -> Result<Self, Failure> {
        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let addresses = addresses.iter().map(IpAddr::to_string);
        let names = names.iter().map(|name| host(name));
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

    /// Why a certificate and key are not what is wanted; `None` where they are.
    pub(crate) fn objection(
        &self,
        certificate: &[u8],
        key: &str,
        signer: &Authority,
    ) -> Result<Option<&'static str>, Failure> {
        let authority = signer.certificate()?;
        let (Some(shown), Some(authority)) =
            (bundle::parsed(certificate), bundle::parsed(authority.der()))
        else {
            return Ok(Some("it is damaged"));
        };
        let Ok(key) = KeyPair::from_pem(key) else {
            return Ok(Some("its key is damaged"));
        };
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let until = shown.validity().not_after.timestamp();
        Ok(
            if shown.public_key().subject_public_key.data != key.der_bytes() {
                Some("its key is another's")
            } else if shown
                .verify_signature(Some(authority.public_key()))
                .is_err()
            {
                Some("another CA signed it")
            } else if names_of(&shown) != self.names {
                Some("its names are others")
            } else if shown.validity().not_before.timestamp() > now {
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

    /// A new key and a certificate for it.
    ///
    /// # Errors
    /// Names that X.509 cannot say.
    pub(crate) fn issue(&self, signer: &Authority) -> Result<Issued, Failure> {
        let unmade = |cause: rcgen::Error| {
            Failure::failed(format!(
                "the certificate for {} could not be made: {cause}",
                self.names.join(", ")
            ))
        };
        let mut parameters = CertificateParams::new(self.names.clone()).map_err(unmade)?;
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
        let second = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        parameters.not_before = moment(now - second(HOUR));
        parameters.not_after = moment(now.saturating_add(second(self.lifetime)));
        let key = KeyPair::generate().map_err(unmade)?;
        let certificate = parameters
            .signed_by(&key, &signer.issuer())
            .map_err(unmade)?;
        Ok(Issued {
            certificate: certificate.der().to_vec(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// For people: the first name that is not `localhost`.
    fn common_name(&self) -> Option<&str> {
        let names = self.names.iter().map(String::as_str);
        names
            .filter(|name| name.parse::<IpAddr>().is_err() && *name != "localhost")
            .find(|name| name.len() <= 64)
    }
}

/// A host as a certificate names it: an address in its one spelling, so that it is found again there.
fn host(name: &str) -> Result<String, Failure> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    if is_host_name(name) {
        return Ok(name.to_owned());
    }
    Err(Failure::usage(format!("`{name}` is no host name"))
        .hint("letters, digits, `-` and dots, such as `bao1.example.com`; no port, no `https://`"))
}

/// Whether clients would take a certificate with that name; one that they cannot read costs all the others.
fn is_host_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    let name = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253 && name.split('.').all(is_label)
}

/// The host names and addresses of a certificate, sorted.
fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let mut names: Vec<_> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect();
    names.sort();
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}
