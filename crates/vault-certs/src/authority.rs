//! The secret that a cluster's CAs are derived from, and the CAs.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use cli::{Failure, data};
use p256::ecdsa::{DerSignature, SigningKey, signature::Signer};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use ring::{
    digest, hkdf,
    rand::{SecureRandom, SystemRandom},
};
use secure_fs::{LARGEST_TEXT, read_text_bounded};
use zeroize::Zeroizing;

use crate::{calendar::Period, file};

/// How a line of an authority file begins; the number is that of the way CAs are derived. Then follow how
/// many seconds a CA signs, and base64 of the secret. The time is a part of it because other periods are
/// other CAs.
const PREFIX: &str = "vault-certs-authority-1:";
const LENGTH: usize = 32;

/// Makes a new authority file.
///
/// # Errors
/// A file that is there already or cannot be written.
pub(crate) fn make(output: Option<&Path>, period: Duration) -> Result<(), Failure> {
    let line = new_line(period)?;
    let Some(path) = output else {
        return data(line.trim_end());
    };
    write_new(path, &line)
}

/// A random secret as the line of a file.
fn new_line(period: Duration) -> Result<Zeroizing<String>, Failure> {
    if period.as_secs() == 0 {
        return Err(Failure::usage("a CA signs for at least a second").hint("`--period 90days`"));
    }
    let mut secret = Zeroizing::new([0; LENGTH]);
    SystemRandom::new()
        .fill(secret.as_mut_slice())
        .map_err(|_| Failure::failed("the system gives no random numbers"))?;
    let text = Zeroizing::new(BASE64_STANDARD.encode(secret.as_slice()));
    Ok(Zeroizing::new(format!(
        "{PREFIX}{}:{}\n",
        period.as_secs(),
        *text
    )))
}

fn write_new(path: &Path, line: &str) -> Result<(), Failure> {
    file::create(path, line.as_bytes()).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!("`{}` is there already", path.display()))
            .hint("whoever replaces it replaces the CA: add a line to it instead, and swap the lines when all clients know both"),
        _ => file::unwritable(path, &cause),
    })
}

/// The secrets of an authority file: the first signs, all are trusted.
pub(crate) struct Authorities {
    secrets: Vec<Secret>,
}

/// One line.
struct Secret {
    period: Duration,
    bytes: Zeroizing<Vec<u8>>,
}

/// The CAs of one secret that matter at a moment.
pub(crate) struct Trio {
    /// Of the period before: what it signed may still be shown.
    pub(crate) before: Authority,
    /// Which signs.
    pub(crate) now: Authority,
    /// Which will.
    pub(crate) after: Authority,
}

impl Authorities {
    /// Reads the file; where `create` gives a period, makes it first if it is missing.
    ///
    /// # Errors
    /// A file that is missing, that others can read, or whose lines are none.
    pub(crate) fn read(path: &Path, create: Option<Duration>) -> Result<Self, Failure> {
        if let Some(period) = create
            && !path.exists()
        {
            write_new(path, &new_line(period)?)?;
        }
        let shown = path.display();
        let text = read_text_bounded(path, LARGEST_TEXT)
            .map(Zeroizing::new)
            .map_err(|cause| {
                Failure::usage(format!(
                    "the authority file `{shown}` could not be read: {cause}"
                ))
                .hint("`vault-certs authority` makes one; all nodes of a cluster need the same")
            })?;
        refuse_readers(path)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let secrets: Vec<_> = lines
            .enumerate()
            .map(|(index, line)| secret(line).ok_or(index + 1))
            .collect::<Result<_, _>>()
            .map_err(|number| {
                Failure::usage(format!(
                    "the authority file `{shown}` is damaged: secret {number} is none"
                ))
                .hint(format!(
                    "a line is `{PREFIX}`, seconds, `:` and base64 of {LENGTH} bytes"
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

    /// How long a CA of the secret that signs does so.
    pub(crate) fn period(&self) -> Duration {
        self.secrets[0].period
    }

    /// The CAs of each secret at this moment (seconds since 1970), of the one that signs first.
    ///
    /// # Errors
    /// None that can happen with the lengths used here; the libraries could say so.
    pub(crate) fn at(&self, cluster: &str, now: u64) -> Result<Vec<Trio>, Failure> {
        let secrets = self.secrets.iter();
        secrets
            .map(|secret| {
                let [before, now, after] = Period::at(now, secret.period).trusted();
                Ok(Trio {
                    before: Authority::derive(secret, cluster, before)?,
                    now: Authority::derive(secret, cluster, now)?,
                    after: Authority::derive(secret, cluster, after)?,
                })
            })
            .collect()
    }
}

fn secret(line: &str) -> Option<Secret> {
    let (seconds, encoded) = line.strip_prefix(PREFIX)?.split_once(':')?;
    let period = Duration::from_secs(seconds.parse().ok().filter(|seconds| *seconds > 0)?);
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    (bytes.len() == LENGTH).then_some(Secret { period, bytes })
}

fn refuse_readers(path: &Path) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(|cause| file::unwritable(path, &cause))?;
    let mode = metadata.permissions().mode();
    if mode.trailing_zeros() >= 6 {
        return Ok(()); // no bit of the group's or of others'
    }
    let shown = path.display();
    Err(Failure::usage(format!(
        "others than its owner may read the authority file `{shown}` (mode {:o})",
        mode & 0o777
    ))
    .hint(format!(
        "`chmod 0600 {shown}`; whoever may have read it can pose as the cluster: make another"
    )))
}

/// One CA: a key and a name. Whoever derives it from the same secret gets the same, byte for byte.
pub(crate) struct Authority {
    key: Key,
    name: String,
    period: Period,
}

impl Authority {
    fn derive(secret: &Secret, cluster: &str, period: Period) -> Result<Self, Failure> {
        let underivable = || Failure::failed("the CA's key could not be derived");
        let number = period.number();
        let seconds = secret.period.as_secs();
        let from = hkdf::Salt::new(hkdf::HKDF_SHA256, b"zero-touch-secrets").extract(&secret.bytes);
        // The first try is a key but for one of 2^32 secrets.
        for attempt in 0..8 {
            let info = format!("CA\0{cluster}\0{seconds}\0{number}\0{attempt}");
            let mut scalar = Zeroizing::new([0; LENGTH]);
            from.expand(&[info.as_bytes()], hkdf::HKDF_SHA256)
                .and_then(|output| output.fill(scalar.as_mut_slice()))
                .map_err(|_| underivable())?;
            if let Ok(key) = SigningKey::from_slice(scalar.as_slice()) {
                return Ok(Self {
                    key: Key::new(key),
                    name: format!("{cluster} CA {number}"),
                    period,
                });
            }
        }
        Err(underivable())
    }

    /// Its own certificate, signed by itself.
    ///
    /// # Errors
    /// Names that X.509 cannot say.
    pub(crate) fn certificate(&self) -> Result<Certificate, Failure> {
        self.parameters(&self.key)
            .self_signed(&self.key)
            .map_err(|cause| unmade(&cause))
    }

    /// Its certificate as `other` signs it, for those who trust that one.
    ///
    /// # Errors
    /// Names that X.509 cannot say.
    pub(crate) fn signed_by(&self, other: &Self) -> Result<Certificate, Failure> {
        self.parameters(&other.key)
            .signed_by(&self.key, &other.issuer())
            .map_err(|cause| unmade(&cause))
    }

    /// What signs in its name.
    pub(crate) fn issuer(&self) -> Issuer<'static, &Key> {
        Issuer::new(self.parameters(&self.key), &self.key)
    }

    /// Everything but the signature, the same at each call.
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
        parameters.serial_number = Some(self.serial(signer));
        parameters
    }

    /// Two certificates of one signer must differ in their serial number, and two nodes must agree on it.
    fn serial(&self, signer: &Key) -> SerialNumber {
        let mut all = digest::Context::new(&digest::SHA256);
        all.update(self.key.der_bytes());
        all.update(signer.der_bytes());
        let mut bytes = all.finish().as_ref()[..16].to_vec();
        bytes[0] = bytes[0] & 0x7f | 0x40; // positive, and of a fixed length
        SerialNumber::from(bytes)
    }
}

fn unmade(cause: &rcgen::Error) -> Failure {
    Failure::failed(format!("the CA's certificate could not be made: {cause}"))
}

/// A P-256 key whose signatures are the same each time (RFC 6979): so are the certificates.
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
