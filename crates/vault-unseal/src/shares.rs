//! Reads key shares from their sources, and checks their format.

use std::{
    ffi::OsStr,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;
use zts_cli::{Failure, KeyFile, unusable};

use crate::log::{Level, report};

/// The prefix of systemd credentials with key shares.
const CREDENTIAL_PREFIX: &str = "unseal-key";
/// The bits of a mode that give rights to other users than the owner.
const OTHER_USERS: u32 = 0o077;
/// The lengths that OpenBao accepts, in bytes: a barrier key, or a share of one, which has one byte
/// more.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=33;

/// The key shares without duplicates. Each has the number of its place in the sources, from 1.
pub(crate) struct KeyShares {
    list: Vec<KeyShare>,
}

struct KeyShare {
    number: usize,
    text: SecretString,
    bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key shares", self.list.len())
    }
}

impl KeyShares {
    /// Reads all shares from the configuration, from files, and from systemd credentials.
    ///
    /// # Errors
    /// A file that cannot be read or that others can read, a text that is not a key share, or no
    /// key share at all.
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
        for path in credential_files(credentials)? {
            let file = KeyFile::read(&path)?; // systemd restricts their readers
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
        let bytes = decode_share(text.expose_secret()).ok_or_else(|| {
            unusable(
                source,
                format!("key share {number} is neither hex nor base64 of 16 to 33 bytes"),
            )
            .hint("give it as `bao operator init` printed it; in JSON in quotes")
        })?;
        if let Some(same) = self.list.iter().find(|share| share.bytes == bytes) {
            let same = same.number;
            report(
                Level::Warn,
                format_args!("key share {number} is the same as key share {same}, and counts once"),
            );
            return Ok(());
        }
        self.list.push(KeyShare {
            number,
            text,
            bytes,
        });
        Ok(())
    }

    /// Warns of shares with another length than most. All shares of one key have the same length.
    fn warn_of_lengths(&self) {
        let length = |share: &KeyShare| share.bytes.len();
        let alike = |share: &&KeyShare| {
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
            report(
                Level::Warn,
                format_args!(
                    "key share {number} has {length} bytes, and others have {usual}: it is damaged, or of another cluster"
                ),
            );
        }
    }

    /// Returns their number.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the share with this index.
    pub(crate) fn get(&self, index: usize) -> Option<&SecretString> {
        self.list.get(index).map(|share| &share.text)
    }

    /// Returns the numbers of the shares with these indexes, separated by commas.
    pub(crate) fn format_numbers(&self, indexes: impl IntoIterator<Item = usize>) -> String {
        let shares = indexes.into_iter().filter_map(|index| self.list.get(index));
        let numbers: Vec<_> = shares.map(|share| share.number.to_string()).collect();
        numbers.join(", ")
    }
}

/// Refuses a file with key shares that other users than its owner may read.
///
/// # Errors
/// Other users may read it.
pub(crate) fn refuse_readers(file: &KeyFile) -> Result<(), Failure> {
    file.refuse_readers(OTHER_USERS).map_err(|failure| {
        let hint = failure.hint_text().unwrap_or_default();
        let hint = format!(
            "{hint}; in a mount of Kubernetes or Nomad, which sets the mode: `--allow-readable-key-files`"
        );
        failure.hint(hint)
    })
}

/// Returns the systemd credentials with key shares, sorted by name.
fn credential_files(folder: Option<&OsStr>) -> Result<Vec<PathBuf>, Failure> {
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let entries = entries.map_err(|cause| {
        let folder = Path::new(folder).display();
        Failure::failed(format!(
            "the credentials in `{folder}` could not be listed: {cause}"
        ))
    })?;
    let is_share = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(CREDENTIAL_PREFIX)
    };
    let mut files: Vec<_> = entries.iter().filter(|entry| is_share(entry)).collect();
    files.sort_by_key(|entry| entry.path());
    Ok(files.into_iter().map(fs::DirEntry::path).collect())
}

/// Decodes a share: hex, else base64, as OpenBao does.
fn decode_share(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes =
        decode_hex(text).or_else(|| BASE64_STANDARD.decode(text).ok().map(Zeroizing::new))?;
    LENGTHS.contains(&bytes.len()).then_some(bytes)
}

fn decode_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
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

    fn collect(texts: &[&str]) -> Result<KeyShares, Failure> {
        let shares = texts.iter().map(|text| SecretString::from(*text)).collect();
        KeyShares::collect(shares, Path::new("/config.json"), &[], false, None)
    }

    #[test]
    fn the_same_share_in_hex_and_in_base64_is_one() {
        let hex = "00ff".repeat(8);
        let base64 = BASE64_STANDARD.encode([0x00, 0xff].repeat(8));
        let other = "11".repeat(16);
        let shares = collect(&[&hex, &base64, &hex.to_uppercase(), &other]).ok();
        // A share keeps its number when an earlier one is a duplicate.
        assert_eq!(
            shares.map(|shares| (shares.len(), shares.format_numbers(0..2))),
            Some((2, "1, 4".to_owned()))
        );
    }

    #[test]
    fn an_invalid_share_is_refused_and_not_shown() {
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
