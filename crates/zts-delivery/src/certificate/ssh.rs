//! Certificates of the SSH engine for a host's key.

use std::path::Path;

use ssh_key::{Certificate, PublicKey, certificate::CertType};
use zts_openbao::{SecretMap, SecretValue};
use zts_secure_fs::read_text_bounded;

use super::{request::SshCertificateRequest, validity::Validity};

/// The name of the file, for `HostCertificate` of sshd.
const CERTIFICATE: &str = "cert.pub";

/// The largest file of a key or a certificate that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// A certificate for a host's key.
pub(crate) struct SshCertificate {
    text: String,
    parsed: Certificate,
}

impl SshCertificate {
    /// Parses the line of a certificate. `None` where it is none for a host.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parsed = Certificate::from_openssh(text.trim_end()).ok()?;
        (parsed.cert_type() == CertType::Host).then(|| Self {
            text: format!("{}\n", text.trim_end()),
            parsed,
        })
    }

    /// Reads the certificate of a directory. `None` where there is none.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        Self::parse(&read_text_bounded(&directory.join(CERTIFICATE), LARGEST).ok()?)
    }

    /// Returns the certificate of a cached copy. `None` where there is none.
    pub(super) fn from_values(values: &SecretMap) -> Option<Self> {
        let text = values.get(CERTIFICATE)?.to_bytes();
        Self::parse(std::str::from_utf8(&text).ok()?)
    }

    /// Returns the time for which it is valid. `None` where it is for another key than the host's.
    pub(super) fn validity_for(&self, request: &SshCertificateRequest) -> Option<Validity> {
        let key = PublicKey::from_openssh(&read_public_key(request).ok()?).ok()?;
        let is_own = key.key_data() == self.parsed.public_key();
        let seconds = |time| i64::try_from(time).unwrap_or(i64::MAX);
        is_own.then(|| Validity {
            not_before: seconds(self.parsed.valid_after()),
            not_after: seconds(self.parsed.valid_before()),
        })
    }

    /// Returns a declared name that it is not valid for; `None` where it has all.
    pub(crate) fn find_lacking<'a>(&self, request: &'a SshCertificateRequest) -> Option<&'a str> {
        let names = self.parsed.valid_principals();
        let mut declared = request.principals.iter();
        let lacking = declared.find(|name| !names.contains(name));
        lacking.map(String::as_str)
    }

    /// Returns the file.
    pub(crate) fn values(&self) -> SecretMap {
        let text = SecretValue::from_text(&self.text);
        SecretMap::from([(CERTIFICATE.to_owned(), text)])
    }
}

/// Reads the host's public key. Fails with the reason.
pub(crate) fn read_public_key(request: &SshCertificateRequest) -> Result<String, String> {
    let path = &request.public_key;
    let text = read_text_bounded(path, LARGEST)
        .map_err(|cause| format!("cannot be asked for: `{}`: {cause}", path.display()))?;
    Ok(text.trim_end().to_owned())
}
