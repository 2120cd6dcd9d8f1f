//! The description beside a snapshot: enough to list it, check it and decide on it without opening
//! it.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// The suffix that turns a snapshot's name into its description's.
pub(crate) const DESCRIPTION_SUFFIX: &str = ".json";
/// The suffix of a snapshot that is not encrypted.
const PLAIN: &str = ".snap";
/// The suffix of an encrypted snapshot.
const ENCRYPTED: &str = ".snap.age";
/// The suffixes of snapshots.
pub(crate) const ARCHIVE_SUFFIXES: [&str; 2] = [PLAIN, ENCRYPTED];

/// The limit of a description in bytes, which holds with the largest number of recipients.
const LIMIT: u64 = 16 << 10;

/// The description of a snapshot, a JSON file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The version of this format: 1.
    pub(crate) format: u32,
    pub(crate) cluster_name: String,
    /// The cluster's id, which changes when a cluster is initialised anew.
    pub(crate) cluster_id: String,
    pub(crate) openbao_version: String,
    /// The time at which the snapshot was requested.
    pub(crate) taken_at: Timestamp,
    /// The raft index up to which it reaches.
    pub(crate) raft_index: u64,
    pub(crate) raft_term: u64,
    /// The size of the stored file in bytes.
    pub(crate) size: u64,
    /// The SHA-256 (hex) of the stored file.
    pub(crate) sha256: String,
    /// The size of OpenBao's archive in bytes, which encryption makes larger.
    pub(crate) archive_size: u64,
    /// The SHA-256 (hex) of OpenBao's archive.
    pub(crate) archive_sha256: String,
    /// The age recipients of an encrypted snapshot.
    #[serde(default)]
    pub(crate) encrypted_to: Vec<String>,
    #[serde(default)]
    pub(crate) canary: Option<Canary>,
    /// The reason why OpenBao refused the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) without_canary: Option<String>,
    /// The signature (base64) of all other fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
}

/// A secret that was written just before a snapshot, to be read in its drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Canary {
    /// The mount of KV version 2.
    pub(crate) mount: String,
    /// The secret's path in the mount.
    pub(crate) path: String,
    /// The SHA-256 (hex) of its value.
    pub(crate) sha256: String,
}

impl Description {
    /// The version of the format that this program writes and reads.
    pub(crate) const FORMAT: u32 = 1;

    /// Reads a description. Returns `None` where the file is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(file: impl Read) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut text)?;
        let parsed = serde_json::from_slice(&text).ok();
        Ok(parsed.filter(|_| text.len() as u64 <= LIMIT))
    }

    /// Formats it for its file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default() // strings and numbers always serialize
    }

    /// Returns the snapshot's name. The names of one cluster sort by time.
    pub(crate) fn name(&self) -> String {
        let suffix = if self.is_encrypted() {
            ENCRYPTED
        } else {
            PLAIN
        };
        format!("{}{suffix}", name_stem(&self.cluster_name, self.taken_at))
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        !self.encrypted_to.is_empty()
    }
}

/// Returns the name of a snapshot without its suffix.
pub(crate) fn name_stem(cluster: &str, taken_at: Timestamp) -> String {
    format!(
        "openbao-{}-{}",
        file_name_part(cluster),
        taken_at.to_file_name()
    )
}

/// Returns the time in a snapshot's name. Returns `None` for a name that this program does not
/// give.
pub(crate) fn timestamp_in_name(name: &str) -> Option<Timestamp> {
    let stem = name
        .strip_suffix(ENCRYPTED)
        .or_else(|| name.strip_suffix(PLAIN))?;
    let rest = stem.strip_prefix("openbao-")?;
    let (cluster, timestamp) = rest.split_at_checked(rest.len().checked_sub(20)?)?;
    if !cluster.chars().all(is_plain) {
        return None;
    }
    Timestamp::from_file_name(timestamp)
}

/// Returns a cluster's name, which may be any text, as a part of a file name.
fn file_name_part(text: &str) -> String {
    let letters = text.chars().take(100);
    let plain: String = letters
        .map(|letter| if is_plain(letter) { letter } else { '_' })
        .collect();
    if plain.is_empty() {
        "_".to_owned()
    } else {
        plain
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.-".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cluster_name_becomes_a_file_name() {
        let timestamp = Timestamp::from_seconds(1_795_549_800);
        for (cluster, part) in [
            ("main", "main"),
            ("../etc/passwd", ".._etc_passwd"),
            ("größe 1", "gr__e_1"),
            ("", "_"),
        ] {
            let name = format!("{}{PLAIN}", name_stem(cluster, timestamp));
            assert_eq!(name, format!("openbao-{part}-2026-11-24T19-50-00Z.snap"));
            assert_eq!(timestamp_in_name(&name), Some(timestamp));
        }
        assert!(name_stem(&"x".repeat(5000), timestamp).len() < 200);
    }

    #[test]
    fn other_names_are_no_snapshots() {
        for name in [
            "",
            "openbao-.snap",
            "other-main-2026-11-24T19-50-00Z.snap",
            "openbao-main-2026-11-24T19-50-00Z.snap.json",
            "openbao-main-2026-11-24T19-50-00Z",
            ".snap",
        ] {
            assert_eq!(timestamp_in_name(name), None, "{name}");
        }
    }
}
