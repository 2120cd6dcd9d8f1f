//! Encryption of copies, so that only this machine can read them.
//!
//! The values are encrypted with a key, and systemd-creds encrypts only that key. So a secret may
//! have any size, and no value leaves this process.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    seal_keys::{self, SealKey},
    systemd_creds::SealError,
};

/// The policy for sealing copies to this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealPolicy {
    /// Copies are sealed if the machine can do that. Otherwise only this user can read them.
    Auto,
    /// A copy that cannot be sealed is not stored.
    Always,
    /// Copies are not sealed. Only this user can read them.
    #[default]
    Never,
}

impl FromStr for SealPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "always" => Self::Always,
            "never" => Self::Never,
            _ => return Err("a copy is sealed `auto`, `always` or `never`"),
        })
    }
}

/// A text that is sealed to this machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SealedText {
    /// The key, encrypted by systemd-creds.
    key: String,
    /// The random number that no other text of this key was encrypted with. Missing where the key
    /// encrypted no other text.
    #[serde(default)]
    nonce: [u8; NONCE_LEN],
    /// The text, encrypted with the key, in base64.
    text: String,
}

impl SealedText {
    /// Seals `text`. It can be opened only with the same `associated_data`, which is not encrypted.
    pub(crate) fn new(
        text: &[u8],
        associated_data: &[u8],
        key: SealKey,
    ) -> Result<Self, SealError> {
        let mut nonce = [0; NONCE_LEN];
        let random = SystemRandom::new().fill(&mut nonce);
        random.map_err(|_| SealError::WrongKey)?;
        let mut text = Zeroizing::new(text.to_vec());
        let tag = cipher(&key)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data),
                text.as_mut_slice(),
            )
            .map_err(|_| SealError::WrongKey)?;
        text.extend_from_slice(tag.as_ref());
        Ok(Self {
            key: key.encrypted,
            nonce,
            text: BASE64_STANDARD.encode(&*text),
        })
    }

    /// Returns the text that was sealed with `associated_data`.
    pub(crate) fn open(&self, associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = seal_keys::decrypt(&self.key)?;
        let text = BASE64_STANDARD.decode(&self.text);
        let mut text = Zeroizing::new(text.map_err(|_| SealError::WrongKey)?);
        let opened = cipher(&key)?.open_in_place(
            Nonce::assume_unique_for_key(self.nonce),
            Aad::from(associated_data),
            text.as_mut_slice(),
        );
        let length = opened.map_err(|_| SealError::WrongKey)?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn cipher(key: &SealKey) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.bytes.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| SealError::WrongKey)
}
