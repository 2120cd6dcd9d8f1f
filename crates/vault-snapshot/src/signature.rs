//! Signatures of descriptions (Ed25519). A description holds the digest of its snapshot, so its
//! signature covers both.
//!
//! `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write the key files.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use zts_cli::{Failure, KeyFile, read_text, unusable};

use crate::description::Description;

/// The text before the description in the signed text, so that a signature counts for nothing else.
const CONTEXT: &[u8] = b"vault-snapshot description\n";
/// The bytes before the 32 bytes of a public key in its file (RFC 8410).
const PUBLIC_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// The mode bits that the file of a signing key must not have, as with key shares.
const READERS: u32 = 0o037;

/// A private key that signs descriptions.
pub(crate) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a private key.
    ///
    /// # Errors
    /// A file that cannot be read, that other users can read, or that holds no such key.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = KeyFile::read(path)?;
        if file.mode() & READERS != 0 {
            return Err(file
                .unusable("it holds a private key, and other users may read it")
                .hint(format!("`chmod 0600 {}`", path.display())));
        }
        let invalid = || {
            file.unusable("it holds no Ed25519 private key")
                .hint("`openssl genpkey -algorithm ed25519 -out FILE` makes one")
        };
        let block = pem::parse(file.content()).map_err(|_| invalid())?;
        let contents = zeroize::Zeroizing::new(block.into_contents());
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&contents).map_err(|_| invalid())?;
        Ok(Self(pair))
    }

    /// Signs the description, all of whose other fields are set.
    pub(crate) fn sign(&self, description: &mut Description) {
        let signature = self.0.sign(&signed_text(description));
        description.signature = Some(STANDARD.encode(signature));
    }
}

/// A defect of a description's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureFlaw {
    #[error("it is not signed")]
    Unsigned,
    #[error("none of the verification keys signed it")]
    UnknownKey,
}

/// The public keys of which one must have signed a snapshot. Without any, signatures are not
/// checked.
#[derive(Default)]
pub(crate) struct VerificationKeys {
    keys: Vec<Vec<u8>>,
}

impl VerificationKeys {
    /// Reads public keys.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no such key.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let keys = paths.iter().map(|path| read_public_key(path));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// Returns whether signatures are not checked.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a description's signature.
    ///
    /// # Errors
    /// There are keys, and none of them signed it.
    pub(crate) fn verify(&self, description: &Description) -> Result<(), SignatureFlaw> {
        if self.is_empty() {
            return Ok(());
        }
        let text = description
            .signature
            .as_ref()
            .ok_or(SignatureFlaw::Unsigned)?;
        let signature = STANDARD.decode(text).unwrap_or_default();
        let signed = signed_text(description);
        let valid = self.keys.iter().any(|key| {
            let key = UnparsedPublicKey::new(&ED25519, key);
            key.verify(&signed, &signature).is_ok()
        });
        valid.then_some(()).ok_or(SignatureFlaw::UnknownKey)
    }
}

/// Returns the description without its signature, in a form that does not depend on the file's
/// layout.
fn signed_text(description: &Description) -> Vec<u8> {
    let unsigned = Description {
        signature: None,
        ..description.clone()
    };
    let mut text = CONTEXT.to_vec();
    text.extend(serde_json::to_vec(&unsigned).unwrap_or_default());
    text
}

fn read_public_key(path: &Path) -> Result<Vec<u8>, Failure> {
    let key = pem::parse(read_text(path)?.as_str())
        .ok()
        .and_then(|block| {
            let key = block.contents().strip_prefix(&PUBLIC_PREFIX)?;
            (block.tag() == "PUBLIC KEY" && key.len() == 32).then(|| key.to_vec())
        });
    key.ok_or_else(|| {
        unusable(path, "it holds no Ed25519 public key")
            .hint("`openssl pkey -in SIGNING-KEY -pubout -out FILE` makes it")
    })
}
