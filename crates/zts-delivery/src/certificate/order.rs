//! The order of a certificate: a new key, the signing request, and the answer.

use std::collections::BTreeSet;

use rcgen::{CertificateParams, DnType, KeyPair};
use zeroize::Zeroizing;
use zts_openbao::engine::IssuedCertificate;

use super::{
    request::{CertificateRequest, normal_name},
    signed::Certificate,
};

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

    /// A new root that the old one signed is sent, although its name is that of its issuer.
    #[test]
    fn a_cross_signed_root_is_in_the_full_chain() {
        let order = CertificateOrder::new(&request(&[])).unwrap();
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let (old_key, new_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let old_root = parameters.self_signed(&old_key).unwrap().pem();
        let old = Issuer::new(parameters.clone(), old_key);
        let crossed = parameters.signed_by(&new_key, &old).unwrap().pem();
        let new = Issuer::new(parameters, new_key);
        let signing = CertificateSigningRequestParams::from_pem(order.signing_request()).unwrap();
        let issued = IssuedCertificate {
            certificate: signing.signed_by(&new).unwrap().pem(),
            issuing_ca: crossed.clone(),
            ca_chain: vec![crossed, old_root.clone()],
        };
        let values = order.accept(&issued).unwrap().values();
        let text = |name: &str| String::from_utf8(values[name].to_bytes().to_vec()).unwrap();
        assert_eq!(text("fullchain.pem").matches("BEGIN").count(), 2);
        assert_eq!(text("ca.pem"), old_root.replace("\r\n", "\n"));
    }

    #[test]
    fn names_that_x509_cannot_represent_are_refused() {
        let refused = CertificateOrder::new(&request(&["b\u{fc}ro.example.org"]));
        assert!(refused.err().unwrap().contains("cannot be asked for"));
    }
}
