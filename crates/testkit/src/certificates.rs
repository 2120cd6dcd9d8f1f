//! A certificate authority of the test's own, and what it signs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::{ScratchDir, scratch_dir};

/// A certificate authority, its certificate in a PEM file; the files vanish on `Drop`.
#[derive(Debug)]
pub struct Certificates {
    folder: ScratchDir,
    issuer: Authority,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// The PEM files that a server needs for TLS.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificates {
    /// A new authority.
    pub fn new() -> Self {
        let issuer = new_authority();
        let folder = scratch_dir();
        fs::write(folder.join("ca.pem"), issuer.pem())
            .expect("the authority's certificate is written");
        Self { folder, issuer }
    }

    /// The PEM file that makes a client trust this authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for 127.0.0.1 and localhost, valid now.
    pub fn server(&self) -> ServerCertificate {
        self.sign("server", params_for(&["127.0.0.1", "localhost"]))
    }

    /// A certificate for `other.example.internal` and no other name.
    pub fn for_another_name(&self) -> ServerCertificate {
        self.sign("another-name", params_for(&["other.example.internal"]))
    }

    /// A certificate for 127.0.0.1 and localhost that expired in 2021.
    pub fn expired(&self) -> ServerCertificate {
        let mut params = params_for(&["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign("expired", params)
    }

    /// A certificate for 127.0.0.1 and localhost that begins in 2090.
    pub fn not_valid_yet(&self) -> ServerCertificate {
        let mut params = params_for(&["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
        self.sign("not-valid-yet", params)
    }

    /// A certificate that signed itself and says that it is a CA's, as `openssl req -x509` makes one: for
    /// these names, until that year.
    pub fn self_signed(&self, names: &[&str], last_year: i32) -> ServerCertificate {
        let mut params = params_for(names);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = new_key();
        let certificate = params.self_signed(&key).expect("it signs itself");
        self.write(
            &format!("self-signed-{last_year}-{}", names.concat()),
            &certificate.pem(),
            &key,
        )
    }

    /// A certificate for 127.0.0.1 and localhost that another authority signed.
    pub fn from_another_authority(&self) -> ServerCertificate {
        self.sign_by(
            &new_authority(),
            "another-authority",
            params_for(&["127.0.0.1", "localhost"]),
        )
    }

    fn sign(&self, name: &str, params: CertificateParams) -> ServerCertificate {
        self.sign_by(&self.issuer, name, params)
    }

    fn sign_by(
        &self,
        issuer: &Authority,
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

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

fn new_authority() -> Authority {
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
    KeyPair::generate().expect("a key pair is made")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a PEM file is written");
}
