//! The numbers of the versions of a secret that has none in OpenBao.
//!
//! A host counts the values that it has seen, from 1. A note has the numbers of the last ones, so
//! that the same values have the same number again, such as those of a rejected version.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;
use zts_openbao::{SecretMap, kv::VersionMetadata};

use crate::{
    DeployedVersion, Error, Rejection,
    private_file::{self, lock_or_create_folder, state_dir_path},
};

/// The note's name.
pub(crate) const FILES: [&str; 1] = ["versions.json"];

/// The versions in the note: the deployed one, the one before it, a rejected one, and some more.
const MOST: usize = 8;

/// The values that had a number.
#[derive(Serialize, Deserialize)]
struct NumberedVersion {
    digest: String,
    version: u64,
    created_time: String,
}

/// Returns a digest of values. Only a holder of `key`, the host's role id, can guess values by
/// it.
pub(crate) fn digest(values: &SecretMap, created_time: Option<&str>, key: &SecretString) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    let text = serde_json::to_vec(&(values, created_time)).map(Zeroizing::new);
    let text = text.unwrap_or_default(); // texts that are there cannot fail
    BASE64_STANDARD.encode(hmac::sign(&key, &text))
}

/// Returns the number of the version with this digest: the one that it had, or the next.
///
/// The note is in the cache folder or beside the output directory. Where it cannot be written, the
/// same values get another number the next time, which changes no file.
pub(crate) fn number(
    digest: String,
    created_time: Option<String>,
    cache: Option<&Path>,
    output: &Path,
) -> VersionMetadata {
    let Some(folder) = cache.map(Path::to_owned).or_else(|| state_dir_path(output)) else {
        return metadata(1, created_time.unwrap_or_else(now));
    };
    let locked = lock_or_create_folder(&folder); // without the folder, the note is not written
    let mut noted = read(&folder);
    if let Some(known) = noted.iter().find(|known| known.digest == digest) {
        return metadata(known.version, known.created_time.clone());
    }
    let last = noted.iter().map(|known| known.version).max();
    let version = last.unwrap_or_default().saturating_add(1);
    let created_time = created_time.unwrap_or_else(now);
    noted.push(NumberedVersion {
        digest,
        version,
        created_time: created_time.clone(),
    });
    noted.drain(..noted.len().saturating_sub(MOST));
    if let (Ok((opened, _lock)), Ok(text)) = (&locked, serde_json::to_vec(&noted)) {
        let _ = private_file::replace(opened, &file(&folder), &text);
    }
    metadata(version, created_time)
}

/// Returns the number after those of `seen` and of a rejected version.
pub(crate) fn next(
    seen: Option<&DeployedVersion>,
    cache: Option<&Path>,
    output: &Path,
) -> VersionMetadata {
    let rejected = Rejection::load(cache, output).ok().flatten();
    let rejected = rejected.map_or(0, |rejection| rejection.version);
    let seen = seen.map_or(0, |seen| seen.version);
    metadata(seen.max(rejected).saturating_add(1), now())
}

/// Removes the note.
///
/// # Errors
/// The system's errors.
pub(crate) fn remove_in(folder: &Path) -> Result<(), Error> {
    private_file::remove_with_draft(&file(folder))
}

/// Returns the metadata of a version of the host's own count.
pub(crate) fn metadata(version: u64, created_time: String) -> VersionMetadata {
    VersionMetadata {
        version,
        created_time,
        deletion_time: String::new(),
        destroyed: false,
    }
}

/// Returns the versions in the note; none where it is damaged.
fn read(folder: &Path) -> Vec<NumberedVersion> {
    private_file::read_note(&file(folder))
        .ok()
        .flatten()
        .unwrap_or_default()
}

fn now() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILES[0])
}
