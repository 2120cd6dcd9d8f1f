//! A copy of a secret: what the cache's file says.

use base64::{Engine, prelude::BASE64_STANDARD};
use openbao::{SecretMap, kv::VersionMetadata};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::{SealError, seal::Sealed};

/// A secret as it was when OpenBao last gave it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Copy {
    /// Which secret: namespace, mount and path.
    pub(crate) secret: String,
    /// The version's number, from 1.
    pub version: u64,
    /// When it was written (RFC 3339).
    pub created_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<SecretMap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
}

/// The file: the copy with a digest, which is never one of values that are sealed.
#[derive(Serialize, Deserialize)]
struct Whole<'a> {
    sha256: String,
    #[serde(borrow)]
    copy: &'a RawValue,
}

impl Copy {
    /// A copy of what OpenBao gave; `secret` says in full which one it is.
    pub(crate) fn plain(secret: &str, given: &VersionMetadata, values: &SecretMap) -> Self {
        Self {
            secret: secret.to_owned(),
            version: given.version,
            created_time: given.created_time.clone(),
            values: Some(values.clone()),
            sealed: None,
        }
    }

    /// The same, sealed to this machine.
    pub(crate) fn sealed(
        secret: &str,
        given: &VersionMetadata,
        values: &SecretMap,
    ) -> Result<Self, SealError> {
        let mut copy = Self {
            secret: secret.to_owned(),
            version: given.version,
            created_time: given.created_time.clone(),
            values: None,
            sealed: None,
        };
        let values = serde_json::to_vec(values).map(Zeroizing::new);
        let values = values.map_err(|_| SealError::Mismatch)?;
        copy.sealed = Some(Sealed::new(&values, &copy.about())?);
        Ok(copy)
    }

    /// What stands in clear beside sealed values, and may not be exchanged.
    fn about(&self) -> Vec<u8> {
        format!("{}\n{}\n{}", self.secret, self.version, self.created_time).into_bytes()
    }

    /// Whether its values can be read on this machine only.
    pub fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Whether it is of this version.
    pub fn is_of(&self, version: &VersionMetadata) -> bool {
        self.version == version.version && self.created_time == version.created_time
    }

    /// Whether it says the same as OpenBao; of a sealed one, whether it is of the same version.
    pub(crate) fn is_same(&self, given: &VersionMetadata, values: &SecretMap) -> bool {
        self.is_of(given) && self.values.as_ref().is_none_or(|kept| kept == values)
    }

    /// Its keys and values. Of a sealed copy, this runs systemd-creds.
    ///
    /// # Errors
    /// A copy that was sealed on another machine, or one whose keys are gone.
    pub fn values(self) -> Result<SecretMap, SealError> {
        if let Some(values) = self.values {
            return Ok(values);
        }
        let about = self.about();
        let sealed = self.sealed.ok_or(SealError::Mismatch)?;
        serde_json::from_slice(&sealed.open(&about)?).map_err(|_| SealError::Mismatch)
    }

    /// As it stands in the file.
    pub(crate) fn to_text(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let copy = serde_json::value::to_raw_value(self)?;
        serde_json::to_vec(&Whole {
            sha256: sha256(copy.get()),
            copy: &copy,
        })
        .map(Zeroizing::new)
    }

    /// Reads a file, unless it is damaged.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let whole: Whole<'_> = serde_json::from_slice(text).ok()?;
        if whole.sha256 != sha256(whole.copy.get()) {
            return None;
        }
        let copy: Self = serde_json::from_str(whole.copy.get()).ok()?;
        (copy.values.is_some() != copy.sealed.is_some()).then_some(copy)
    }
}

fn sha256(text: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}
