//! A certificate authority for tests, and the certificates that it issues.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::scratch::{ScratchDir, scratch_dir};

/// A certificate authority and its PEM files, which `Drop` removes.
#[derive(Debug)]
pub struct CertificateAuthority {
    folder: ScratchDir,
    issuer: Issuer,
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The PEM files of a server's certificate and key.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl CertificateAuthority {
    /// Creates an authority.
    pub fn new() -> Self {
        let issuer = new_issuer();
        let folder = scratch_dir();
        fs::write(folder.join("ca.pem"), issuer.pem())
            .expect("the authority's certificate is written");
        Self { folder, issuer }
    }

    /// Returns the PEM file with the authority's certificate.
    pub fn ca_certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a valid certificate for 127.0.0.1 and localhost.
    pub fn issue(&self) -> ServerCertificate {
        self.sign("server", params_for(&["127.0.0.1", "localhost"]))
    }

    /// Issues a certificate for `other.example.internal` and no other name.
    pub fn issue_wrong_name(&self) -> ServerCertificate {
        self.sign("another-name", params_for(&["other.example.internal"]))
    }

    /// Issues a certificate for 127.0.0.1 and localhost that expired in 2021.
    pub fn issue_expired(&self) -> ServerCertificate {
        let mut params = params_for(&["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign("expired", params)
    }

    /// Issues a certificate for 127.0.0.1 and localhost that becomes valid in 2090.
    pub fn issue_not_yet_valid(&self) -> ServerCertificate {
        let mut params = params_for(&["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
        self.sign("not-valid-yet", params)
    }

    /// Creates a self-signed CA certificate, as `openssl req -x509` does, for these names until the
    /// end of `last_year`.
    pub fn issue_self_signed(&self, names: &[&str], last_year: i32) -> ServerCertificate {
        let mut params = params_for(names);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = new_key();
        let certificate = params
            .self_signed(&key)
            .expect("a certificate signs itself");
        self.write(
            &format!("self-signed-{last_year}-{}", names.concat()),
            &certificate.pem(),
            &key,
        )
    }

    /// Issues a certificate for 127.0.0.1 and localhost that another authority signed.
    pub fn issue_from_unknown_authority(&self) -> ServerCertificate {
        self.sign_by(
            &new_issuer(),
            "another-authority",
            params_for(&["127.0.0.1", "localhost"]),
        )
    }

    fn sign(&self, name: &str, params: CertificateParams) -> ServerCertificate {
        self.sign_by(&self.issuer, name, params)
    }

    fn sign_by(
        &self,
        issuer: &Issuer,
        name: &str,
        mut params: CertificateParams,
    ) -> ServerCertificate {
        let key = new_key();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer).expect("the authority signs");
        self.write(name, &certificate.pem(), &key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> ServerCertificate {
        let path = |what| self.folder.join(format!("{name}-{what}.pem"));
        let files = ServerCertificate {
            certificate: path("certificate"),
            key: path("key"),
        };
        write(&files.certificate, certificate);
        write(&files.key, &key.serialize_pem());
        files
    }
}

impl Default for CertificateAuthority {
    fn default() -> Self {
        Self::new()
    }
}

fn new_issuer() -> Issuer {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "a certificate authority for tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, new_key()).expect("an authority signs itself")
}

fn params_for(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("the names are valid in a certificate")
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key pair is generated")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a PEM file is written");
}
