//! What stands beside a snapshot: enough to list, judge and keep it without opening it.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// How the file beside a snapshot is named: the snapshot's name, and this.
pub(crate) const ENDING: &str = ".json";
/// How a snapshot is named that is not encrypted.
const PLAIN: &str = ".snap";
/// And one that is.
const ENCRYPTED: &str = ".snap.age";

/// The longest description in bytes: with as many recipients as a snapshot may have.
const LONGEST: u64 = 16 << 10;

/// How snapshots' names end.
pub(crate) const ENDINGS: [&str; 2] = [PLAIN, ENCRYPTED];

/// The file beside a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// The form of this file: 1.
    pub(crate) format: u32,
    /// The cluster's name.
    pub(crate) cluster_name: String,
    /// The cluster's id, which a cluster that is initialised anew does not share.
    pub(crate) cluster_id: String,
    /// OpenBao's version.
    pub(crate) openbao_version: String,
    /// When the snapshot was asked for.
    pub(crate) taken_at: Moment,
    /// The raft index that it holds everything up to.
    pub(crate) raft_index: u64,
    /// The raft term.
    pub(crate) raft_term: u64,
    /// How many bytes are stored.
    pub(crate) size: u64,
    /// The SHA-256 (hex) of what is stored.
    pub(crate) sha256: String,
    /// How many bytes OpenBao's archive has; with encryption, that is less than what is stored.
    pub(crate) archive_size: u64,
    /// The SHA-256 (hex) of OpenBao's archive.
    pub(crate) archive_sha256: String,
    /// The age recipients it is encrypted to.
    #[serde(default)]
    pub(crate) encrypted_to: Vec<String>,
    /// The secret that was written just before.
    #[serde(default)]
    pub(crate) canary: Option<Canary>,
    /// Why that was not written, where it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) without_canary: Option<String>,
    /// The signature (base64) of all else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
}

/// A secret that was written just before a snapshot, to be read from what is restored of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Canary {
    /// The KV version 2 mount.
    pub(crate) mount: String,
    /// The secret's path in it.
    pub(crate) path: String,
    /// The SHA-256 (hex) of its value.
    pub(crate) sha256: String,
}

impl Metadata {
    /// The form that this program writes and reads.
    pub(crate) const FORMAT: u32 = 1;

    /// Reads a description; nothing where it is none.
    pub(crate) fn read(file: impl Read) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        let parsed = serde_json::from_slice(&text).ok();
        Ok(parsed.filter(|_| text.len() as u64 <= LONGEST))
    }

    /// The snapshot's name: of one cluster, they sort by time.
    pub(crate) fn name(&self) -> String {
        let ending = if self.is_encrypted() {
            ENCRYPTED
        } else {
            PLAIN
        };
        format!("{}{ending}", stem(&self.cluster_name, self.taken_at))
    }

    /// Whether it can be read with an identity only.
    pub(crate) fn is_encrypted(&self) -> bool {
        !self.encrypted_to.is_empty()
    }
}

/// A snapshot's name without its ending.
pub(crate) fn stem(cluster: &str, taken_at: Moment) -> String {
    format!("openbao-{}-{}", plain(cluster), taken_at.in_name())
}

/// When the snapshot of this name was taken; nothing for a name that this program does not give.
pub(crate) fn moment_of(name: &str) -> Option<Moment> {
    let stem = name
        .strip_suffix(ENCRYPTED)
        .or_else(|| name.strip_suffix(PLAIN))?;
    let rest = stem.strip_prefix("openbao-")?;
    let (cluster, moment) = rest.split_at_checked(rest.len().checked_sub(20)?)?;
    if !cluster.chars().all(is_plain) {
        return None;
    }
    Moment::from_name(moment)
}

/// A cluster's name as a part of a file name: OpenBao takes any text for one.
fn plain(text: &str) -> String {
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
    fn any_cluster_has_a_plain_name() {
        let moment = Moment::from_seconds(1_795_549_800);
        for (cluster, part) in [
            ("main", "main"),
            ("../etc/passwd", ".._etc_passwd"),
            ("größe 1", "gr__e_1"),
            ("", "_"),
        ] {
            let name = format!("{}{PLAIN}", stem(cluster, moment));
            assert_eq!(name, format!("openbao-{part}-2026-11-24T19-50-00Z.snap"));
            assert_eq!(moment_of(&name), Some(moment));
        }
        assert!(stem(&"x".repeat(5000), moment).len() < 200);
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
            assert_eq!(moment_of(name), None, "{name}");
        }
    }
}
