//! Encryption of copies, so that only this machine can read them.
//!
//! The values are encrypted with a key of their own, and systemd-creds encrypts only that key. So a
//! secret may have any size, and no value leaves this process.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::systemd_creds::{self, SealError};

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
    /// The text, encrypted with the key, in base64.
    text: String,
}

type Key = Zeroizing<[u8; 32]>;

impl SealedText {
    /// Seals `text`. It can be opened only with the same `associated_data`, which is not encrypted.
    pub(crate) fn new(text: &[u8], associated_data: &[u8]) -> Result<Self, SealError> {
        let mut key = Key::default();
        let random = SystemRandom::new().fill(key.as_mut_slice());
        random.map_err(|_| SealError::WrongKey)?;
        let mut text = Zeroizing::new(text.to_vec());
        let tag = cipher(&key)?
            .seal_in_place_separate_tag(
                constant_nonce(),
                Aad::from(associated_data),
                text.as_mut_slice(),
            )
            .map_err(|_| SealError::WrongKey)?;
        text.extend_from_slice(tag.as_ref());
        let encrypted = systemd_creds::encrypt(key.as_slice())?;
        Ok(Self {
            key: one_line(&encrypted).ok_or(SealError::InvalidOutput)?,
            text: BASE64_STANDARD.encode(&*text),
        })
    }

    /// Returns the text that was sealed with `associated_data`.
    pub(crate) fn open(&self, associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = systemd_creds::decrypt(self.key.as_bytes())?;
        let key = Key::new(key.as_slice().try_into().map_err(|_| SealError::WrongKey)?);
        let text = BASE64_STANDARD.decode(&self.text);
        let mut text = Zeroizing::new(text.map_err(|_| SealError::WrongKey)?);
        let opened = cipher(&key)?.open_in_place(
            constant_nonce(),
            Aad::from(associated_data),
            text.as_mut_slice(),
        );
        let length = opened.map_err(|_| SealError::WrongKey)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// Returns a base64 text without its line breaks. `None` where it is not an encrypted key.
fn one_line(text: &[u8]) -> Option<String> {
    let line: String = str::from_utf8(text).ok()?.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(&line).ok()?;
    (bytes.len() > size_of::<Key>()).then_some(line)
}

fn cipher(key: &Key) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| SealError::WrongKey)
}

/// Returns the nonce. It may be constant because each key encrypts one text.
fn constant_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
