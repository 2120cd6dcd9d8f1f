//! The order of a certificate: the names that are declared, a new key, and the answer.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use rcgen::{CertificateParams, DnType, KeyPair};
use serde::Deserialize;
use zeroize::Zeroizing;
use zts_openbao::engine::IssuedCertificate;

use super::Certificate;

/// The declared parameters of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CertificateRequest {
    /// The common name, which is one of its names, too.
    pub common_name: String,
    /// Its other host names and IP addresses.
    #[serde(default)]
    pub alt_names: Vec<String>,
    /// The time for which it is valid, such as `720h`; the role's without one.
    pub ttl: Option<String>,
}

impl fmt::Display for CertificateRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            common_name,
            alt_names,
            ttl,
        } = self;
        write!(formatter, "common_name={common_name}")?;
        if !alt_names.is_empty() {
            write!(formatter, "&alt_names={}", alt_names.join(","))?;
        }
        ttl.as_ref()
            .map_or(Ok(()), |ttl| write!(formatter, "&ttl={ttl}"))
    }
}

impl CertificateRequest {
    /// Returns the other host names, and the IP addresses, with commas between them.
    pub(crate) fn alternative_names(&self) -> (String, String) {
        let (addresses, names): (Vec<_>, Vec<_>) = self
            .alt_names
            .iter()
            .map(String::as_str)
            .partition(|name| name.parse::<IpAddr>().is_ok());
        (names.join(","), addresses.join(","))
    }

    /// Returns all names and addresses.
    fn names(&self) -> BTreeSet<String> {
        let names = [&self.common_name].into_iter().chain(&self.alt_names);
        names.map(|name| normal_name(name)).collect()
    }
}

/// Returns a name as certificates have it: addresses in their shortest form, names in lower case.
fn normal_name(name: &str) -> String {
    let address = name.parse::<IpAddr>().map(|address| address.to_string());
    address.unwrap_or_else(|_| name.to_lowercase())
}

/// A new key, and the signing request for it.
pub(crate) struct CertificateOrder {
    names: BTreeSet<String>,
    key: KeyPair,
    /// PEM.
    signing_request: String,
}

impl CertificateOrder {
    /// Makes a key. The signing request has the names, too: roles take them from there by default
    /// (`use_csr_common_name`, `use_csr_sans`). Fails with the reason, such as a name that X.509
    /// cannot represent.
    pub(crate) fn new(request: &CertificateRequest) -> Result<Self, String> {
        let failed = |cause: rcgen::Error| format!("cannot be asked for: {cause}");
        let names = request.names();
        let mut parameters =
            CertificateParams::new(Vec::from_iter(names.clone())).map_err(failed)?;
        parameters.distinguished_name.remove(DnType::CommonName);
        parameters
            .distinguished_name
            .push(DnType::CommonName, request.common_name.clone());
        let key = KeyPair::generate().map_err(failed)?;
        let signing_request = parameters.serialize_request(&key).map_err(failed)?;
        Ok(Self {
            names,
            signing_request: signing_request.pem().map_err(failed)?,
            key,
        })
    }

    pub(crate) fn signing_request(&self) -> &str {
        &self.signing_request
    }

    /// Returns the issued certificate with the key. Fails with the reason why it is not the one
    /// that was ordered.
    pub(crate) fn accept(&self, issued: &IssuedCertificate) -> Result<Certificate, String> {
        let chain = if issued.ca_chain.is_empty() {
            issued.issuing_ca.clone()
        } else {
            issued.ca_chain.join("\n")
        };
        let key = Zeroizing::new(self.key.serialize_pem());
        let certificate = Certificate::parse(key, &issued.certificate, &chain)
            .filter(|certificate| certificate.validity().is_some() && !certificate.chain.is_empty())
            .ok_or("that OpenBao issued cannot be used: it is damaged, or has another key")?;
        let names = certificate.names();
        let names: Vec<_> = names.iter().map(|name| normal_name(name)).collect();
        let mut lacking = self.names.iter().filter(|name| !names.contains(name));
        match lacking.next() {
            None => Ok(certificate),
            Some(name) => Err(format!(
                "that OpenBao issued lacks the name `{name}`: the role replaces names"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateSigningRequestParams, Issuer};

    use super::*;

    fn request(alt_names: &[&str]) -> CertificateRequest {
        CertificateRequest {
            common_name: "web01.example.org".to_owned(),
            alt_names: alt_names.iter().map(|name| (*name).to_owned()).collect(),
            ttl: None,
        }
    }

    /// Signs the request of an order as a PKI engine does.
    fn sign(order: &CertificateOrder) -> IssuedCertificate {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([]).unwrap();
        let authority = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        let request = CertificateSigningRequestParams::from_pem(order.signing_request()).unwrap();
        IssuedCertificate {
            certificate: request.signed_by(&issuer).unwrap().pem(),
            issuing_ca: authority,
            ca_chain: Vec::new(),
        }
    }

    #[test]
    fn a_certificate_for_another_key_or_other_names_is_refused() {
        let order = CertificateOrder::new(&request(&["www.example.org", "::1"])).unwrap();
        let issued = sign(&order);
        let accepted = order.accept(&issued).unwrap();
        let read = Certificate::from_values(&accepted.values()).unwrap();
        assert_eq!(read.validity(), accepted.validity());
        let other = CertificateOrder::new(&request(&["www.example.org", "::1"])).unwrap();
        let fewer = CertificateOrder {
            names: request(&["other.example.org"]).names(),
            ..order
        };
        for (order, issued, reason) in [
            (&other, issued.certificate.clone(), "has another key"),
            (
                &fewer,
                issued.certificate.clone(),
                "lacks the name `other.example.org`",
            ),
            (&fewer, "no certificate".to_owned(), "is damaged"),
            (&fewer, String::new(), "is damaged"),
        ] {
            let issued = IssuedCertificate {
                certificate: issued,
                issuing_ca: sign(order).issuing_ca,
                ca_chain: Vec::new(),
            };
            let refused = order.accept(&issued).err().unwrap();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn names_that_x509_cannot_represent_are_refused() {
        let refused = CertificateOrder::new(&request(&["b\u{fc}ro.example.org"]));
        assert!(refused.err().unwrap().contains("cannot be asked for"));
    }
}
