//! Copies that only this machine can read.
//!
//! The values are encrypted with a key of their own, and only that key goes through systemd-creds:
//! so a secret may have any size, and no value ever leaves this process.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::systemd_creds::{self, SealError};

/// Whether a copy is sealed to this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seal {
    /// Where the machine can; else the copy is kept as it is, readable by this user only.
    Auto,
    /// A copy that cannot be sealed is not kept.
    Always,
    /// Copies are kept as they are, readable by this user only.
    #[default]
    Never,
}

impl FromStr for Seal {
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

/// A sealed text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// The key, as systemd-creds encrypted it.
    key: String,
    /// The text, encrypted with the key, in base64.
    text: String,
}

type Key = Zeroizing<[u8; 32]>;

impl Sealed {
    /// Seals `text`. It can be opened only together with `about`, which stays in clear.
    pub(crate) fn new(text: &[u8], about: &[u8]) -> Result<Self, SealError> {
        let mut key = Key::default();
        let random = SystemRandom::new().fill(key.as_mut_slice());
        random.map_err(|_| SealError::Mismatch)?;
        let mut text = Zeroizing::new(text.to_vec());
        let tag = cipher(&key)?
            .seal_in_place_separate_tag(only_once(), Aad::from(about), text.as_mut_slice())
            .map_err(|_| SealError::Mismatch)?;
        text.extend_from_slice(tag.as_ref());
        let encrypted = systemd_creds::encrypt(key.as_slice())?;
        Ok(Self {
            key: one_line(&encrypted).ok_or(SealError::Nonsense)?,
            text: BASE64_STANDARD.encode(&*text),
        })
    }

    /// The text that was sealed with `about`.
    pub(crate) fn open(&self, about: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = systemd_creds::decrypt(self.key.as_bytes())?;
        let key = Key::new(key.as_slice().try_into().map_err(|_| SealError::Mismatch)?);
        let text = BASE64_STANDARD.decode(&self.text);
        let mut text = Zeroizing::new(text.map_err(|_| SealError::Mismatch)?);
        let opened =
            cipher(&key)?.open_in_place(only_once(), Aad::from(about), text.as_mut_slice());
        let length = opened.map_err(|_| SealError::Mismatch)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// The base64 text without its line breaks, if that is what it is.
fn one_line(text: &[u8]) -> Option<String> {
    let line: String = str::from_utf8(text).ok()?.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(&line).ok()?;
    (bytes.len() > size_of::<Key>()).then_some(line)
}

fn cipher(key: &Key) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| SealError::Mismatch)
}

/// Each key encrypts one text, so there is nothing that its nonce must differ from.
fn only_once() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
