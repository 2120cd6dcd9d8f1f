//! Signatures of descriptions (Ed25519): a description holds the digest of its snapshot, so both are signed.
//!
//! Keys are files as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use cli::{Failure, KeyFile, unusable};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use crate::{metadata::Metadata, store::Flaw};

/// The text before the description in what is signed: a signature is for nothing else.
const CONTEXT: &[u8] = b"vault-snapshot description\n";
/// What stands before the 32 bytes of a public key in its file (RFC 8410).
const PUBLIC_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// Longer than any key file: `/dev/zero` has no end.
const LONGEST: u64 = 16 << 10;
/// The bits of a mode that the file of a signing key must not have, as for key shares.
const READERS: u32 = 0o037;

/// Signs descriptions.
pub(crate) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a private key.
    ///
    /// # Errors
    /// A file that cannot be read, that others can read, or that holds no such key.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = KeyFile::read(path)?;
        if file.mode() & READERS != 0 {
            return Err(file
                .unusable("it holds a private key, and others than its owner may read it")
                .hint(format!("`chmod 0600 {}`", path.display())));
        }
        let wrong = || {
            file.unusable("it holds no private key of the kind Ed25519")
                .hint("`openssl genpkey -algorithm ed25519 -out FILE` makes one")
        };
        let block = pem::parse(file.content()).map_err(|_| wrong())?;
        let contents = zeroize::Zeroizing::new(block.into_contents());
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&contents).map_err(|_| wrong())?;
        Ok(Self(pair))
    }

    /// Signs the description as it is now.
    pub(crate) fn sign(&self, metadata: &mut Metadata) {
        let signature = self.0.sign(&signed_text(metadata));
        metadata.signature = Some(STANDARD.encode(signature));
    }
}

/// The public keys of which one must have signed a snapshot; where there is none, no signature is looked at.
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
        let keys = paths.iter().map(|path| read_public(path));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// Whether any signature is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns what is wrong with a description's signature.
    pub(crate) fn flaw(&self, metadata: &Metadata) -> Option<Flaw> {
        if self.is_empty() {
            return None;
        }
        let Some(text) = &metadata.signature else {
            return Some(Flaw::Unsigned);
        };
        let signature = STANDARD.decode(text).unwrap_or_default();
        let signed = signed_text(metadata);
        let valid = self.keys.iter().any(|key| {
            let key = UnparsedPublicKey::new(&ED25519, key);
            key.verify(&signed, &signature).is_ok()
        });
        (!valid).then_some(Flaw::ForeignSignature)
    }
}

/// The description without a signature, in one form whatever the file's layout.
fn signed_text(metadata: &Metadata) -> Vec<u8> {
    let unsigned = Metadata {
        signature: None,
        ..metadata.clone()
    };
    let mut text = CONTEXT.to_vec();
    text.extend(serde_json::to_vec(&unsigned).unwrap_or_default());
    text
}

fn read_public(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut text))
        .map_err(|cause| unusable(path, format_args!("it could not be read: {cause}")))?;
    let key = pem::parse(text).ok().and_then(|block| {
        let key = block.contents().strip_prefix(&PUBLIC_PREFIX)?;
        (block.tag() == "PUBLIC KEY" && key.len() == 32).then(|| key.to_vec())
    });
    key.ok_or_else(|| {
        unusable(path, "it holds no public key of the kind Ed25519")
            .hint("`openssl pkey -in SIGNING-KEY -pubout -out FILE` makes it")
    })
}
