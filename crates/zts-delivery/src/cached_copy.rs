//! A cached copy: the content of a file in the cache.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;
use zts_openbao::{SecretMap, kv::VersionMetadata};

use crate::{
    DeployedVersion, SealError, SecretIdentity, Source, seal::SealedText, seal_keys::SealKey,
};

/// The furthest a copy may be dated ahead of the clock and still count as confirmed just now:
/// clocks are adjusted by seconds all the time.
const CLOCK_ADJUSTMENT: Duration = Duration::from_secs(60);

/// The time since OpenBao confirmed a copy. `None` where the copy is dated in the future, because
/// the clock was wrong then or is wrong now: its age is unknown.
pub type CopyAge = Option<Duration>;

/// The state of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Services have come up with it, or no service uses it.
    #[default]
    Proven,
    /// Its services have not come up with it yet.
    Unproven,
    /// Like `Unproven`, and an unproven version has replaced it while none was proven. The
    /// roll-back leads to it.
    Replaced,
}

/// A copy of a version of a secret.
#[derive(Debug, Serialize, Deserialize)]
pub struct CachedCopy {
    /// The secret.
    pub(crate) secret: SecretIdentity,
    /// The number of the version, from 1.
    pub version: u64,
    /// The time when the version was written (RFC 3339).
    pub created_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<SecretMap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<SealedText>,
    /// The state of the version, by the name of the file.
    #[serde(skip)]
    pub proof: Proof,
}

/// The file: the copy with a digest. The digest of a sealed copy is not one of its values.
#[derive(Serialize, Deserialize)]
struct CopyFile<'a> {
    sha256: String,
    #[serde(borrow)]
    copy: &'a RawValue,
}

impl CachedCopy {
    /// Creates an unsealed copy of the version that OpenBao returned.
    pub(crate) fn plain(
        secret: &SecretIdentity,
        given: &VersionMetadata,
        values: &SecretMap,
        proof: Proof,
    ) -> Self {
        Self {
            secret: secret.clone(),
            version: given.version,
            created_time: given.created_time.clone(),
            values: Some(values.clone()),
            sealed: None,
            proof,
        }
    }

    /// Creates a copy that is sealed to this machine.
    pub(crate) fn sealed(
        secret: &SecretIdentity,
        given: &VersionMetadata,
        values: &SecretMap,
        proof: Proof,
        key: SealKey,
    ) -> Result<Self, SealError> {
        let mut copy = Self {
            secret: secret.clone(),
            version: given.version,
            created_time: given.created_time.clone(),
            values: None,
            sealed: None,
            proof,
        };
        let values = serde_json::to_vec(values).map(Zeroizing::new);
        let values = values.map_err(|_| SealError::WrongKey)?;
        copy.sealed = Some(SealedText::new(&values, &copy.associated_data(), key)?);
        Ok(copy)
    }

    /// Returns the unencrypted fields, which are bound to the sealed values.
    fn associated_data(&self) -> Vec<u8> {
        format!("{}\n{}\n{}", self.secret, self.version, self.created_time).into_bytes()
    }

    /// Returns whether its values can be read on this machine only.
    pub fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Returns whether it is of this version.
    pub fn is_of(&self, version: &VersionMetadata) -> bool {
        self.version == version.version && self.created_time == version.created_time
    }

    /// Returns the version as one that is deployed from the cache.
    pub fn to_deployed(&self) -> DeployedVersion {
        DeployedVersion::now(
            &self.secret,
            self.version,
            &self.created_time,
            Source::Cache,
        )
    }

    /// Returns whether it is of the version `deployed_version`.
    pub fn is_deployed(&self, deployed_version: &DeployedVersion) -> bool {
        self.secret == deployed_version.secret
            && self.version == deployed_version.version
            && deployed_version.created_time.as_ref() == Some(&self.created_time)
    }

    /// Returns whether it equals the version that OpenBao returned. Of a sealed copy, only the
    /// version is compared.
    pub(crate) fn is_same(&self, given: &VersionMetadata, values: &SecretMap) -> bool {
        self.is_of(given) && self.values.as_ref().is_none_or(|kept| kept == values)
    }

    /// Returns the keys and values. Of the sealed copies that share a key, the first one that a
    /// process opens makes it run systemd-creds.
    ///
    /// # Errors
    /// A copy that was sealed on another machine, or whose key was lost.
    pub fn values(self) -> Result<SecretMap, SealError> {
        if let Some(values) = self.values {
            return Ok(values);
        }
        let associated_data = self.associated_data();
        let sealed = self.sealed.ok_or(SealError::WrongKey)?;
        serde_json::from_slice(&sealed.open(&associated_data)?).map_err(|_| SealError::WrongKey)
    }

    /// Returns the content of the file.
    pub(crate) fn to_text(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let copy = serde_json::value::to_raw_value(self)?;
        serde_json::to_vec(&CopyFile {
            sha256: sha256(copy.get()),
            copy: &copy,
        })
        .map(Zeroizing::new)
    }

    /// Parses a file. `None` where it is damaged.
    pub(crate) fn parse(text: &[u8], proof: Proof) -> Option<Self> {
        let file: CopyFile<'_> = serde_json::from_slice(text).ok()?;
        if file.sha256 != sha256(file.copy.get()) {
            return None;
        }
        let copy: Self = serde_json::from_str(file.copy.get()).ok()?;
        let copy = Self { proof, ..copy };
        (copy.values.is_some() != copy.sealed.is_some()).then_some(copy)
    }
}

fn sha256(text: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

/// Returns how long ago `confirmed` was, as far as the clock tells.
pub(crate) fn age_since(confirmed: SystemTime) -> CopyAge {
    match SystemTime::now().duration_since(confirmed) {
        Ok(age) => Some(age),
        Err(ahead) => (ahead.duration() <= CLOCK_ADJUSTMENT).then_some(Duration::ZERO),
    }
}
