//! The state of one node (API pages `sys/seal-status` and `sys/leader`).

use serde::Deserialize;
use zts_net::bounded::deserialize_text;

/// A server's seal status (API page `sys/seal-status`).
#[derive(Debug, Deserialize)]
pub struct SealStatus {
    /// The type of its seal: `shamir`, or one that unseals itself.
    #[serde(rename = "type", deserialize_with = "deserialize_text")]
    pub kind: String,
    /// Set while it has no key and answers nothing else.
    pub sealed: bool,
    /// Set once it was initialised, or has joined a cluster that was.
    pub initialized: bool,
    /// The number of key shares that unseal it.
    #[serde(rename = "t")]
    pub threshold: usize,
    /// The number of different key shares that were submitted so far.
    pub progress: usize,
    /// The id of this collection of shares; another one begins when they were refused or dropped.
    /// Empty before the first.
    #[serde(default, deserialize_with = "deserialize_text")]
    pub nonce: String,
    /// OpenBao's version.
    #[serde(deserialize_with = "deserialize_text")]
    pub version: String,
    /// The cluster's name; empty on a sealed server.
    #[serde(default, deserialize_with = "deserialize_text")]
    pub cluster_name: String,
    /// The cluster's id, created with its initialisation; empty on a sealed server.
    #[serde(default, deserialize_with = "deserialize_text")]
    pub cluster_id: String,
}

/// The first version of OpenBao without a known vulnerability of inline authentication: until 2.5.4
/// it wrote the credentials in clear into the audit log (GHSA-q8cj-789h-vg24), until 2.6.2 it could
/// give out tokens (GHSA-rh46-vc3j-w2w3).
pub const SOUND_INLINE_AUTHENTICATION: &str = "2.6.2";

impl SealStatus {
    /// Returns whether standbys of this version answer reads by default (OpenBao 2.5 and later).
    pub fn has_standby_reads(&self) -> bool {
        let mut numbers = self.version.split('.').map(str::parse);
        let version: (Option<u32>, Option<u32>) = (
            numbers.next().and_then(Result::ok),
            numbers.next().and_then(Result::ok),
        );
        version >= (Some(2), Some(5))
    }

    /// Returns whether inline authentication of this version has a known vulnerability. Other
    /// products than OpenBao (whose versions begin with 2) do not support it at all.
    pub fn has_flawed_inline_authentication(&self) -> bool {
        let parts = self.version.split(|letter: char| !letter.is_ascii_digit());
        let mut parts = parts.map(|part| part.parse::<u32>().unwrap_or_default());
        let mut next = || parts.next().unwrap_or_default();
        let version = [next(), next(), next()];
        ([2, 4, 0]..[2, 6, 2]).contains(&version)
    }
}

/// The active node of a cluster, as one server knows it (API page `sys/leader`).
#[derive(Debug, Deserialize)]
pub struct Leader {
    /// Set where the storage supports more than one server.
    pub ha_enabled: bool,
    /// Set where the server that answered is active; missing on a server without a cluster.
    #[serde(default)]
    pub is_self: bool,
    /// The active server's address; empty while there is none.
    #[serde(default, deserialize_with = "deserialize_text")]
    pub leader_address: String,
    /// The last committed entry of the raft log that it knows; `None` with another storage.
    #[serde(default)]
    pub raft_committed_index: Option<u64>,
    /// The last entry of the raft log that it has applied; `None` with another storage.
    #[serde(default)]
    pub raft_applied_index: Option<u64>,
}

impl Leader {
    /// Returns whether the server that answered is the active one, or alone.
    pub fn is_active(&self) -> bool {
        self.is_self || !self.ha_enabled
    }

    /// Returns whether the server that answered serves clients: it is active, or its leader says in
    /// one of `all` answers of the cluster that it is active. The server's own answer is not
    /// enough: a standby that has lost its leader may go on naming it.
    pub fn serves<'a>(&self, all: impl IntoIterator<Item = &'a Self>) -> bool {
        let is_its_leader =
            |other: &Self| other.is_active() && other.leader_address == self.leader_address;
        self.is_active() || all.into_iter().any(is_its_leader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(version: &str) -> SealStatus {
        let status = serde_json::json!({
            "type": "shamir", "sealed": false, "initialized": true, "t": 1, "progress": 0,
            "version": version,
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn standbys_answer_reads_since_2_5() {
        for (version, expected) in [
            ("2.4.4", false),
            ("2.5.0", true),
            ("2.6.2", true),
            ("2.7.0", true),
            ("1.21.1", false),
            ("2.0.0+ent", false),
            ("", false),
        ] {
            let answer = status(version).has_standby_reads();
            assert_eq!(answer, expected, "{version}");
        }
    }

    #[test]
    fn vulnerable_versions_are_known() {
        let is_flawed = |version: &str| status(version).has_flawed_inline_authentication();
        for version in ["2.4.0", "2.5.4", "2.6.1", "2.6.1+ent", "2.6"] {
            assert!(is_flawed(version), "{version}");
        }
        for version in [
            "2.3.9", "2.6.2", "2.6.10", "2.7.2", "2.10.0", "3.0.0", "1.20.1", "",
        ] {
            assert!(!is_flawed(version), "{version}");
        }
    }
}
