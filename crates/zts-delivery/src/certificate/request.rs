//! The declared names and times of certificates.

use std::{collections::BTreeSet, fmt, net::IpAddr, path::PathBuf};

use serde::Deserialize;

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

/// Names the certificate. A change of the time takes effect at the next one.
impl fmt::Display for CertificateRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "common_name={}", self.common_name)?;
        let names = self.names();
        let others = names.iter().filter(|name| **name != self.common_name);
        let others: Vec<_> = others.map(String::as_str).collect();
        if others.is_empty() {
            return Ok(());
        }
        write!(formatter, "&alt_names={}", others.join(","))
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
    pub(super) fn names(&self) -> BTreeSet<String> {
        let names = [&self.common_name].into_iter().chain(&self.alt_names);
        names.map(|name| normal_name(name)).collect()
    }
}

/// Returns a name as certificates have it: addresses in their shortest form, names in lower case.
pub(super) fn normal_name(name: &str) -> String {
    let address = name.parse::<IpAddr>().map(|address| address.to_string());
    address.unwrap_or_else(|_| name.to_lowercase())
}

/// The declared parameters of a certificate for an SSH host key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SshCertificateRequest {
    /// The file with the public key.
    pub public_key: PathBuf,
    /// The names of the host.
    pub principals: Vec<String>,
    /// The time for which it is valid, such as `720h`; the role's without one.
    pub ttl: Option<String>,
}

/// Names the certificate. A change of the time takes effect at the next one.
impl fmt::Display for SshCertificateRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<_> = self.principals.iter().map(String::as_str).collect();
        let principals = Vec::from_iter(names).join(",");
        let public_key = self.public_key.display();
        write!(formatter, "public_key={public_key}&principals={principals}")
    }
}
