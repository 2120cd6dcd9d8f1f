//! The authority file with the secret that a cluster's CAs are derived from, and the CAs.

use std::{fs::File, io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use p256::ecdsa::{DerSignature, SigningKey, signature::Signer};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use ring::{
    digest, hkdf,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;
use zts_cli::{Failure, data};
use zts_secure_fs::{LARGEST_TEXT, decode_text, read_file_bounded};

use crate::{file, period::Period};

/// The prefix of a line in an authority file, with the version of the derivation. The period in
/// seconds and the secret in base64 follow. The period is a part of it because another period gives
/// other CAs.
const PREFIX: &str = "vault-certs-authority-1:";
const SECRET_LENGTH: usize = 32;

/// Creates an authority file, or prints its content.
///
/// # Errors
/// The file exists or cannot be written.
pub(crate) fn create_file(output: Option<&Path>, period: Duration) -> Result<(), Failure> {
    let line = generate_line(period)?;
    let Some(path) = output else {
        return data(line.trim_end());
    };
    write_new(path, &line)
}

/// Generates a secret as a line of an authority file.
fn generate_line(period: Duration) -> Result<Zeroizing<String>, Failure> {
    if period.as_secs() == 0 {
        return Err(
            Failure::usage("the period of a CA is at least a second").hint("`--period 90days`")
        );
    }
    let mut secret = Zeroizing::new([0; SECRET_LENGTH]);
    SystemRandom::new()
        .fill(secret.as_mut_slice())
        .map_err(|_| Failure::failed("the system returns no random numbers"))?;
    let text = Zeroizing::new(BASE64_STANDARD.encode(secret.as_slice()));
    Ok(Zeroizing::new(format!(
        "{PREFIX}{}:{}\n",
        period.as_secs(),
        *text
    )))
}

fn write_new(path: &Path, line: &str) -> Result<(), Failure> {
    file::create(path, line.as_bytes()).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!("`{}` already exists", path.display()))
            .hint("replacing it would replace the CA: add a line to it instead, and swap the lines when all clients know both"),
        _ => file::unwritable(path, &cause),
    })
}

/// The secrets of an authority file. The CAs of the first one sign, and those of all are trusted.
pub(crate) struct Authorities {
    secrets: Vec<AuthoritySecret>,
}

/// A line of an authority file.
struct AuthoritySecret {
    period: Duration,
    bytes: Zeroizing<Vec<u8>>,
}

/// The CAs of one secret that are trusted in a period.
pub(crate) struct PeriodAuthorities {
    /// The CA of the period before, whose certificates may still be in use.
    pub(crate) before: Authority,
    /// The CA that signs.
    pub(crate) now: Authority,
    /// The CA that signs next.
    pub(crate) after: Authority,
}

impl Authorities {
    /// Reads the file. If it is missing and `create` gives a period, creates it.
    ///
    /// # Errors
    /// The file is missing or invalid, or other users can read it.
    pub(crate) fn read(path: &Path, create: Option<Duration>) -> Result<Self, Failure> {
        let shown = path.display();
        let unreadable = |cause: io::Error| {
            Failure::usage(format!(
                "the authority file `{shown}` could not be read: {cause}"
            ))
            .hint("`vault-certs authority` makes one; all nodes of a cluster need the same")
        };
        if let Some(period) = create
            && !path.try_exists().map_err(unreadable)?
        {
            write_new(path, &generate_line(period)?)?;
        }
        let file = File::open(path).map_err(unreadable)?;
        refuse_readers(path, file.metadata().map_err(unreadable)?.mode())?;
        let text = read_file_bounded(file, LARGEST_TEXT).and_then(decode_text);
        let text = text.map(Zeroizing::new).map_err(unreadable)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let secrets: Vec<_> = lines
            .enumerate()
            .map(|(index, line)| parse_secret(line).ok_or(index + 1))
            .collect::<Result<_, _>>()
            .map_err(|number| {
                Failure::usage(format!(
                    "the authority file `{shown}` is damaged: secret {number} is invalid"
                ))
                .hint(format!(
                    "a line is `{PREFIX}`, seconds, `:` and base64 of {SECRET_LENGTH} bytes"
                ))
            })?;
        if secrets.is_empty() {
            return Err(
                Failure::usage(format!("the authority file `{shown}` is empty")).hint(
                    "`vault-certs authority` makes one; all nodes of a cluster need the same",
                ),
            );
        }
        Ok(Self { secrets })
    }

    /// Returns the period of the CAs that sign.
    pub(crate) fn period(&self) -> Duration {
        self.secrets[0].period
    }

    /// Derives the CAs of each secret at a time (seconds since 1970), those that sign first.
    ///
    /// # Errors
    /// A key cannot be derived, which does not happen with these lengths.
    pub(crate) fn at(&self, cluster: &str, now: u64) -> Result<Vec<PeriodAuthorities>, Failure> {
        let secrets = self.secrets.iter();
        secrets
            .map(|secret| {
                let [before, now, after] = Period::at(now, secret.period).trusted();
                Ok(PeriodAuthorities {
                    before: Authority::derive(secret, cluster, before)?,
                    now: Authority::derive(secret, cluster, now)?,
                    after: Authority::derive(secret, cluster, after)?,
                })
            })
            .collect()
    }
}

fn parse_secret(line: &str) -> Option<AuthoritySecret> {
    let (seconds, encoded) = line.strip_prefix(PREFIX)?.split_once(':')?;
    let period = Duration::from_secs(seconds.parse().ok().filter(|seconds| *seconds > 0)?);
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    (bytes.len() == SECRET_LENGTH).then_some(AuthoritySecret { period, bytes })
}

fn refuse_readers(path: &Path, mode: u32) -> Result<(), Failure> {
    if mode.trailing_zeros() >= 6 {
        return Ok(()); // no bits for the group and others
    }
    let shown = path.display();
    Err(Failure::usage(format!(
        "other users may read the authority file `{shown}` (mode {:o})",
        mode & 0o777
    ))
    .hint(format!(
        "`chmod 0600 {shown}`; a user that has read it can impersonate the cluster: create another one"
    )))
}

/// A CA: a key and a name. Each derivation from the same secret gives the same bytes.
pub(crate) struct Authority {
    key: Key,
    name: String,
    period: Period,
}

impl Authority {
    fn derive(secret: &AuthoritySecret, cluster: &str, period: Period) -> Result<Self, Failure> {
        let failed = || Failure::failed("the CA's key could not be derived");
        let number = period.number();
        let seconds = secret.period.as_secs();
        let pseudorandom_key =
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"zero-touch-secrets").extract(&secret.bytes);
        // The first attempt fails for one of 2^32 secrets.
        for attempt in 0..8 {
            let info = format!("CA\0{cluster}\0{seconds}\0{number}\0{attempt}");
            let mut scalar = Zeroizing::new([0; SECRET_LENGTH]);
            pseudorandom_key
                .expand(&[info.as_bytes()], hkdf::HKDF_SHA256)
                .and_then(|output| output.fill(scalar.as_mut_slice()))
                .map_err(|_| failed())?;
            if let Ok(key) = SigningKey::from_slice(scalar.as_slice()) {
                return Ok(Self {
                    key: Key::new(key),
                    name: format!("{cluster} CA {number}"),
                    period,
                });
            }
        }
        Err(failed())
    }

    /// Returns its self-signed certificate.
    ///
    /// # Errors
    /// X.509 cannot represent its name.
    pub(crate) fn certificate(&self) -> Result<Certificate, Failure> {
        self.parameters(&self.key)
            .self_signed(&self.key)
            .map_err(|cause| certificate_failure(&cause))
    }

    /// Returns its certificate signed by `other`, for clients that trust only that CA.
    ///
    /// # Errors
    /// X.509 cannot represent its name.
    pub(crate) fn signed_by(&self, other: &Self) -> Result<Certificate, Failure> {
        self.parameters(&other.key)
            .signed_by(&self.key, &other.issuer())
            .map_err(|cause| certificate_failure(&cause))
    }

    /// Returns the issuer for certificates that it signs.
    pub(crate) fn issuer(&self) -> Issuer<'static, &Key> {
        Issuer::new(self.parameters(&self.key), &self.key)
    }

    /// Returns all of a certificate except its signature, the same at each call.
    fn parameters(&self, signer: &Key) -> CertificateParams {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.remove(DnType::CommonName);
        parameters
            .distinguished_name
            .push(DnType::CommonName, self.name.clone());
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.use_authority_key_identifier_extension = true;
        parameters.not_before = self.period.valid_from();
        parameters.not_after = self.period.valid_until();
        parameters.serial_number = Some(self.serial_number(signer));
        parameters
    }

    /// Returns the serial number of its certificate by `signer`. It differs between certificates of
    /// one signer, and is the same on all nodes.
    fn serial_number(&self, signer: &Key) -> SerialNumber {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.key.der_bytes());
        context.update(signer.der_bytes());
        let mut bytes = context.finish().as_ref()[..16].to_vec();
        bytes[0] = bytes[0] & 0x7f | 0x40; // positive, and of a fixed length
        SerialNumber::from(bytes)
    }
}

fn certificate_failure(cause: &rcgen::Error) -> Failure {
    Failure::failed(format!("the CA's certificate could not be made: {cause}"))
}

/// A P-256 key with deterministic signatures (RFC 6979), so that certificates are deterministic,
/// too.
pub(crate) struct Key {
    key: SigningKey,
    point: Vec<u8>,
}

impl Key {
    fn new(key: SigningKey) -> Self {
        let point = key.verifying_key().to_encoded_point(false);
        Self {
            point: point.as_bytes().to_vec(),
            key,
        }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self
            .key
            .try_sign(message)
            .map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        thread,
    };

    use super::*;

    #[test]
    fn the_mode_is_that_of_the_file_that_is_read() {
        let folder = zts_testkit::scratch_dir();
        let create = |name: &str, days: u64, mode: u32| {
            let path = folder.join(name);
            create_file(Some(&path), Duration::from_hours(days * 24)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let files = [create("private", 1, 0o600), create("readable", 2, 0o644)];
        let path = folder.join("authority");
        fs::hard_link(&files[0], &path).unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                for file in files.iter().cycle().skip(1).take(1000) {
                    fs::hard_link(file, folder.join("next")).unwrap();
                    fs::rename(folder.join("next"), &path).unwrap();
                }
            });
            while !other.is_finished() {
                if let Ok(read) = Authorities::read(&path, None) {
                    assert_eq!(read.period(), Duration::from_hours(24));
                }
            }
        });
    }
}
