//! Key shares: where they come from, and what they must look like.

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use cli::{Failure, KeyFile, unusable};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::log::{Level, say};

/// How systemd credentials with key shares are named.
const CREDENTIAL: &str = "unseal-key";
/// The bits of a mode that let others than the owner do anything.
const READERS: u32 = 0o077;
/// How many bytes OpenBao takes: a barrier key, or a share of one, which has one byte more.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=33;

/// Different key shares. Each keeps the number that it has in its sources, from 1 on.
pub(crate) struct Shares {
    list: Vec<Share>,
}

struct Share {
    number: usize,
    text: SecretString,
    bytes: Zeroizing<Vec<u8>>,
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
    /// A file that cannot be read or that others can read, a text that is no key share, or none at all.
    pub(crate) fn collect(
        configured: Vec<SecretString>,
        configuration: &Path,
        files: &[PathBuf],
        allow_readers: bool,
        credentials: Option<&OsStr>,
    ) -> Result<Self, Failure> {
        let mut all = Self { list: Vec::new() };
        let mut number = 0;
        all.add(configured, configuration, &mut number)?;
        for path in files {
            let file = KeyFile::read(path)?;
            if !allow_readers {
                refuse_readers(&file)?;
            }
            all.add(file.shares()?, path, &mut number)?;
        }
        for path in credential_files(credentials) {
            let file = KeyFile::read(&path)?; // who may read them is systemd's business
            all.add(file.shares()?, &path, &mut number)?;
        }
        if all.list.is_empty() {
            return Err(Failure::usage("there are no key shares").hint(
                "give them in `unseal_keys`, with `--unseal-key-file`, or as systemd credentials",
            ));
        }
        all.warn_of_lengths();
        Ok(all)
    }

    fn add(
        &mut self,
        texts: Vec<SecretString>,
        source: &Path,
        number: &mut usize,
    ) -> Result<(), Failure> {
        for text in texts {
            *number += 1;
            self.add_one(text, source, *number)?;
        }
        Ok(())
    }

    fn add_one(&mut self, text: SecretString, source: &Path, number: usize) -> Result<(), Failure> {
        let bytes = decode(text.expose_secret()).ok_or_else(|| {
            unusable(
                source,
                format!("key share {number} is neither hex nor base64 of 16 to 33 bytes"),
            )
            .hint("a key share stands there as `bao operator init` printed it, in quotes in JSON")
        })?;
        if let Some(same) = self.list.iter().find(|share| share.bytes == bytes) {
            let same = same.number;
            say(
                Level::Warn,
                format_args!("key share {number} is the same as key share {same}, and counts once"),
            );
            return Ok(());
        }
        self.list.push(Share {
            number,
            text,
            bytes,
        });
        Ok(())
    }

    /// Shares of one key have one length.
    fn warn_of_lengths(&self) {
        let length = |share: &Share| share.bytes.len();
        let alike = |share: &&Share| {
            self.list
                .iter()
                .filter(|other| length(other) == length(share))
                .count()
        };
        let Some(usual) = self.list.iter().max_by_key(alike).map(length) else {
            return;
        };
        for share in self.list.iter().filter(|share| length(share) != usual) {
            let (number, length) = (share.number, length(share));
            say(
                Level::Warn,
                format_args!(
                    "key share {number} has {length} bytes, and others have {usual}: it is damaged, or another cluster's"
                ),
            );
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The share at this place, from 0 on.
    pub(crate) fn get(&self, place: usize) -> Option<&SecretString> {
        self.list.get(place).map(|share| &share.text)
    }

    /// The numbers of the shares at these places, with commas between.
    pub(crate) fn numbers(&self, places: impl IntoIterator<Item = usize>) -> String {
        let shares = places.into_iter().filter_map(|place| self.list.get(place));
        let numbers: Vec<_> = shares.map(|share| share.number.to_string()).collect();
        numbers.join(", ")
    }
}

/// Refuses a file with key shares that others than its owner may read.
///
/// # Errors
/// Others may read it.
pub(crate) fn refuse_readers(file: &KeyFile) -> Result<(), Failure> {
    file.refuse_readers(READERS).map_err(|failure| {
        let hint = failure.hint_text().unwrap_or_default();
        let hint = format!(
            "{hint}; where a mount of Kubernetes or Nomad decides the mode: `--allow-readable-key-files`"
        );
        failure.hint(hint)
    })
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
    LENGTHS.contains(&bytes.len()).then_some(bytes)
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
        Shares::collect(shares, Path::new("/config.json"), &[], false, None)
    }

    #[test]
    fn the_same_share_in_hex_and_in_base64_is_one() {
        let hex = "00ff".repeat(8);
        let base64 = BASE64_STANDARD.encode([0x00, 0xff].repeat(8));
        let other = "11".repeat(16);
        let shares = collect(&[&hex, &base64, &hex.to_uppercase(), &other]).ok();
        // What is left keeps its number.
        assert_eq!(
            shares.map(|shares| (shares.len(), shares.numbers(0..2))),
            Some((2, "1, 4".to_owned()))
        );
    }

    #[test]
    fn what_is_no_share_is_refused_without_being_shown() {
        let long = "ab".repeat(34);
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
