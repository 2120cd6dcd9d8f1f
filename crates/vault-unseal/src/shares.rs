//! Key shares: where they come from, and what they must look like.

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use cli::Failure;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::configuration::wrong;

/// How systemd credentials with key shares are named.
const CREDENTIAL: &str = "unseal-key";

/// Different key shares, each by its number from 1 on in the order of their sources.
pub(crate) struct Shares {
    list: Vec<SecretString>,
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key shares", self.list.len())
    }
}

impl Shares {
    /// All shares from the configuration, from files, and from systemd's credentials, each once.
    ///
    /// # Errors
    /// A file that cannot be read, a text that is no key share, or none at all.
    pub(crate) fn collect(
        configured: Vec<SecretString>,
        configuration: &Path,
        files: &[PathBuf],
        credentials: Option<&OsStr>,
    ) -> Result<Self, Failure> {
        let mut all: Vec<(PathBuf, SecretString)> = Vec::new();
        all.extend(
            configured
                .into_iter()
                .map(|share| (configuration.to_owned(), share)),
        );
        for file in files {
            all.extend(
                of_file(file)?
                    .into_iter()
                    .map(|share| (file.clone(), share)),
            );
        }
        for file in credential_files(credentials) {
            all.extend(
                of_file(&file)?
                    .into_iter()
                    .map(|share| (file.clone(), share)),
            );
        }
        let mut known = Vec::new();
        let mut list = Vec::new();
        for (place, (source, share)) in all.into_iter().enumerate() {
            let bytes = decode(share.expose_secret()).ok_or_else(|| {
                wrong(
                    &source,
                    format!("key share {} is neither hex nor base64", place + 1),
                )
                .hint("a key share is 16 to 64 bytes, as `bao operator init` prints it")
            })?;
            if !known.contains(&bytes) {
                known.push(bytes);
                list.push(share);
            }
        }
        if list.is_empty() {
            return Err(Failure::usage("there are no key shares").hint(
                "give them in `unseal_keys`, with `--unseal-key-file`, or as systemd credentials",
            ));
        }
        Ok(Self { list })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The share at this place, from 0 on.
    pub(crate) fn get(&self, place: usize) -> Option<&SecretString> {
        self.list.get(place)
    }
}

/// The keys of `bao operator init -format=json` that hold shares.
#[derive(Deserialize)]
struct Initialised {
    unseal_keys_b64: Vec<SecretString>,
}

fn of_file(path: &Path) -> Result<Vec<SecretString>, Failure> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|cause| wrong(path, format!("it could not be read: {cause}")))?;
    if text.trim_start().starts_with('{') {
        // The message could show a part of the file.
        let parsed: Initialised = serde_json::from_str(&text)
            .map_err(|_| wrong(path, "it is JSON, but has no list `unseal_keys_b64`"))?;
        return Ok(parsed.unseal_keys_b64);
    }
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(SecretString::from)
        .collect())
}

/// The credentials with key shares, by name.
fn credential_files(folder: Option<&OsStr>) -> Vec<PathBuf> {
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok());
    let mut files: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(CREDENTIAL))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// The bytes of a share, hex before base64, as OpenBao reads it.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = hex(text).or_else(|| BASE64_STANDARD.decode(text).ok().map(Zeroizing::new))?;
    (16..=64).contains(&bytes.len()).then_some(bytes)
}

fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    bytes.map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(texts: &[&str]) -> Result<Shares, Failure> {
        let shares = texts.iter().map(|text| SecretString::from(*text)).collect();
        Shares::collect(shares, Path::new("/config.json"), &[], None)
    }

    #[test]
    fn the_same_share_in_hex_and_in_base64_is_one() {
        let hex = "00ff".repeat(8);
        let base64 = BASE64_STANDARD.encode([0x00, 0xff].repeat(8));
        assert_eq!(
            collect(&[&hex, &base64, &hex.to_uppercase()])
                .map(|shares| shares.len())
                .ok(),
            Some(1)
        );
    }

    #[test]
    fn what_is_no_share_is_refused_without_being_shown() {
        let long = "ab".repeat(65);
        for text in ["", "zz", "ü", "abcdef", "not a key share at all", &long] {
            let failure = collect(&[text]).err();
            let message = failure.as_ref().map_or("", |failure| failure.message());
            assert!(
                message.contains("key share 1 is neither hex nor base64"),
                "{text}: {message}"
            );
            assert!(text.is_empty() || !message.contains(text), "{message}");
        }
        assert!(collect(&[]).is_err());
    }
}
