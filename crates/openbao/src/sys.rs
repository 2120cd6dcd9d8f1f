//! The system backend (API pages `sys/…`).

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::{Authentication, Client, Error, Method, Request, bounded};

/// A server's state (API page `sys/seal-status`).
#[derive(Debug, Deserialize)]
pub struct SealStatus {
    /// Which seal it has: `shamir`, or one that opens by itself.
    #[serde(rename = "type", deserialize_with = "bounded::text")]
    pub kind: String,
    /// Whether it holds no key and answers nothing else.
    pub sealed: bool,
    /// Whether it was ever initialised, or has joined a cluster that was.
    pub initialized: bool,
    /// How many key shares open it.
    #[serde(rename = "t")]
    pub threshold: usize,
    /// How many different ones it was given since it began to collect them.
    pub progress: usize,
    /// Names this collection of shares; another one begins when they were refused or dropped. Empty
    /// before the first.
    #[serde(default, deserialize_with = "bounded::text")]
    pub nonce: String,
    /// OpenBao's version.
    #[serde(deserialize_with = "bounded::text")]
    pub version: String,
    /// The cluster's name; a sealed server does not know it.
    #[serde(default, deserialize_with = "bounded::text")]
    pub cluster_name: String,
    /// The cluster's id, made when it was initialised; a sealed server does not know it.
    #[serde(default, deserialize_with = "bounded::text")]
    pub cluster_id: String,
}

/// The first version of OpenBao whose inline authentication has no hole that is known: until 2.5.4 it wrote
/// the credentials in clear into the audit log (GHSA-q8cj-789h-vg24), until 2.6.2 it gave out tokens
/// (GHSA-rh46-vc3j-w2w3).
pub const SOUND_INLINE_AUTHENTICATION: &str = "2.6.2";

impl SealStatus {
    /// Whether standbys of this version answer reads, where nothing is in the way (OpenBao 2.5 and later).
    pub fn has_standby_reads(&self) -> bool {
        let mut numbers = self.version.split('.').map(str::parse);
        let version: (Option<u32>, Option<u32>) = (
            numbers.next().and_then(Result::ok),
            numbers.next().and_then(Result::ok),
        );
        version >= (Some(2), Some(5))
    }

    /// Whether the server knows inline authentication, with holes in it. Another product than OpenBao (whose
    /// versions begin with 2) does not know it at all.
    pub fn has_flawed_inline_authentication(&self) -> bool {
        let parts = self.version.split(|letter: char| !letter.is_ascii_digit());
        let mut parts = parts.map(|part| part.parse::<u32>().unwrap_or_default());
        let mut next = || parts.next().unwrap_or_default();
        let version = [next(), next(), next()];
        ([2, 4, 0]..[2, 6, 2]).contains(&version)
    }
}

/// A mounted secrets engine or auth method.
#[derive(Debug, Deserialize)]
pub struct Mount {
    /// Which engine or method: `kv`, `approle`.
    #[serde(rename = "type", deserialize_with = "bounded::text")]
    pub kind: String,
    /// Names this very mount; of an auth method, where identities have their aliases.
    #[serde(default)]
    pub accessor: String,
    /// Its options; for `kv`, `version` tells 1 from 2.
    #[serde(default)]
    pub options: Option<BTreeMap<String, String>>,
    #[serde(default)]
    config: MountConfig,
}

#[derive(Debug, Default, Deserialize)]
struct MountConfig {
    #[serde(default)]
    user_lockout_config: UserLockout,
}

#[derive(Debug, Default, Deserialize)]
struct UserLockout {
    #[serde(default)]
    user_lockout_disable: bool,
}

impl Mount {
    /// Whether the auth method was tuned so that refused logins lock nobody out. The server's own
    /// configuration may say the same, which does not show here.
    pub fn locks_nobody_out(&self) -> bool {
        self.config.user_lockout_config.user_lockout_disable
    }
}

impl Mount {
    /// Whether it is a KV engine without versions.
    pub fn is_kv_version_1(&self) -> bool {
        let options = self.options.as_ref();
        let version = options.and_then(|options| options.get("version"));
        self.kind == "kv" && version.is_none_or(|version| version != "2")
    }
}

/// What the token may do on each of `paths`: `read`, `create`, `root`, `deny` and so on.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn capabilities_self(
    client: &Client,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let request = Request::new(Method::Post, "sys/capabilities-self")
        .json(&json!({ "paths": paths }))?
        .repeatable();
    capabilities_of(client, &request, paths)
}

/// What another token may do on each of `paths`: `read`, `list`, `root`, `deny` and so on.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn capabilities(
    client: &Client,
    token: &SecretString,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let request = Request::new(Method::Post, "sys/capabilities")
        .json(&json!({ "token": token.expose_secret(), "paths": paths }))?
        .repeatable();
    capabilities_of(client, &request, paths)
}

/// Beside the paths, an answer has what every answer has.
fn capabilities_of(
    client: &Client,
    request: &Request<'_>,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut all: BTreeMap<String, serde_json::Value> = client.data(request)?;
    let paths: BTreeSet<_> = paths.iter().copied().collect();
    all.retain(|path, _| paths.contains(path.as_str()));
    let lists = all.into_iter();
    Ok(lists
        .filter_map(|(path, list)| Some((path, serde_json::from_value(list).ok()?)))
        .collect())
}

/// The mounted secrets engines or auth methods that the token may see, by their path with a final `/`.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn visible_mounts(client: &Client) -> Result<VisibleMounts, Error> {
    client.data(&Request::new(Method::Get, "sys/internal/ui/mounts"))
}

/// The secrets engine that answers for `path`. It takes some right there, and a token: a login inside the
/// request does not count.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn visible_mount(client: &Client, path: &str) -> Result<Mount, Error> {
    let path = format!("sys/internal/ui/mounts/{path}");
    client.data(&Request::new(Method::Get, &path))
}

/// What is mounted (API page `sys/internal/ui/mounts`): needs no right but some on the mount itself.
#[derive(Debug, Default, Deserialize)]
pub struct VisibleMounts {
    /// Secrets engines.
    pub secret: BTreeMap<String, Mount>,
    /// Auth methods, without `auth/` before them.
    pub auth: BTreeMap<String, Mount>,
}

/// Tunes an auth method so that refused logins lock nobody out (API page `sys/auth`, "Tune auth method").
/// The configuration that a mount is made with cannot say so.
///
/// # Errors
/// What [`Client::send`] gives; it takes `sudo` on the path.
pub fn lock_nobody_out(client: &Client, mount: &str) -> Result<(), Error> {
    let path = format!("sys/auth/{mount}/tune");
    let request = Request::new(Method::Post, &path)
        .json(&json!({ "user_lockout_config": { "lockout_disable": true } }))?
        .repeatable();
    client.send::<serde::de::IgnoredAny>(&request).map(|_| ())
}

/// A server's state; needs no token.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn seal_status(client: &Client) -> Result<SealStatus, Error> {
    let request = Request::new(Method::Get, "sys/seal-status")
        .authentication(Authentication::None)
        .small_answer();
    client.send_bare(&request)
}

/// Which server of a cluster is active (API page `sys/leader`).
#[derive(Debug, Deserialize)]
pub struct Leader {
    /// Whether there is more than one server to speak of.
    pub ha_enabled: bool,
    /// Whether it is the one that answered; a server without a cluster leaves it out.
    #[serde(default)]
    pub is_self: bool,
    /// Where the active server is; empty while there is none.
    #[serde(default, deserialize_with = "bounded::text")]
    pub leader_address: String,
    /// The last entry of the raft log that it knows to be committed; none with another storage.
    #[serde(default)]
    pub raft_committed_index: Option<u64>,
    /// The last entry of the raft log that it has applied; none with another storage.
    #[serde(default)]
    pub raft_applied_index: Option<u64>,
}

impl Leader {
    /// Whether the server that answered is the active one, or alone.
    pub fn is_active(&self) -> bool {
        self.is_self || !self.ha_enabled
    }

    /// Whether the server that answered serves clients: it is the active one, or follows one that said so of
    /// itself among `all` answers of the cluster. What it says of its leader is not enough: a standby that
    /// has lost it goes on naming it for good.
    pub fn serves<'a>(&self, all: impl IntoIterator<Item = &'a Self>) -> bool {
        let is_it = |other: &Self| other.is_active() && other.leader_address == self.leader_address;
        self.is_active() || all.into_iter().any(is_it)
    }
}

/// Which server of the cluster is active, in the eyes of the one that is asked. Needs no token; a
/// sealed server does not know.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn leader(client: &Client) -> Result<Leader, Error> {
    let request = Request::new(Method::Get, "sys/leader")
        .authentication(Authentication::None)
        .small_answer();
    client.send_bare(&request)
}

/// Whether the server that is asked first is active, or reaches the one that is. Needs no token.
///
/// A standby that has lost its leader answers reads for good, and may go on naming it; so this sends it a
/// request that only the leader can answer: one for data that is newer than any (concepts page "Eventual
/// consistency"), which the standby passes on.
///
/// # Errors
/// What [`Client::send`] gives: nothing is known then.
pub fn has_leader(client: &Client) -> Result<bool, Error> {
    let leader = leader(client)?;
    if leader.is_active() || leader.leader_address.is_empty() {
        return Ok(leader.is_active());
    }
    let status = seal_status(client)?;
    let newer = json!({ "cluster": status.cluster_id, "value": u64::MAX.to_string() });
    let request = Request::new(Method::Get, "sys/internal/ui/mounts")
        .authentication(Authentication::None)
        .header("X-Vault-Index", BASE64_STANDARD.encode(newer.to_string()))
        .header("X-Vault-Inconsistent", "forward-active-node");
    let answer = client.send::<serde::de::IgnoredAny>(&request);
    Ok(!matches!(answer, Err(Error::Unavailable { .. })))
}

/// Whether the server that is asked first, a standby, answers reads itself. One that does not passes each on
/// to the active server: so is one before OpenBao 2.5, one with `disable_standby_reads`, and one whose storage
/// and configuration differ in what it must not differ in, such as its audit devices. Needs no token.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn answers_reads(client: &Client) -> Result<bool, Error> {
    let request = Request::new(Method::Get, "sys/internal/ui/mounts")
        .authentication(Authentication::None)
        .header("X-Vault-No-Request-Forwarding", "true");
    client.answers_itself(&request)
}

/// The text of an ACL policy.
///
/// # Errors
/// [`Error::NotFound`] where there is none of this name, and what [`Client::send`] gives.
pub fn read_policy(client: &Client, name: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Policy {
        policy: String,
    }
    let path = format!("sys/policies/acl/{name}");
    client
        .data::<Policy>(&Request::new(Method::Get, &path))
        .map(|data| data.policy)
}

/// Creates or replaces an ACL policy.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn write_policy(client: &Client, name: &str, policy: &str) -> Result<(), Error> {
    let path = format!("sys/policies/acl/{name}");
    let request = Request::new(Method::Post, &path)
        .json(&json!({ "policy": policy }))?
        .repeatable();
    client.send::<serde::de::IgnoredAny>(&request).map(|_| ())
}

/// Deletes an ACL policy.
///
/// # Errors
/// What [`Client::send`] gives; one that is not there is no error.
pub fn delete_policy(client: &Client, name: &str) -> Result<(), Error> {
    let path = format!("sys/policies/acl/{name}");
    client
        .send::<serde::de::IgnoredAny>(&Request::new(Method::Delete, &path).repeatable())
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_holes_are_known() {
        let is_flawed = |version: &str| {
            let status = serde_json::json!({
                "type": "shamir", "sealed": false, "initialized": true, "t": 1, "progress": 0,
                "version": version,
            });
            let status: SealStatus = serde_json::from_value(status).unwrap();
            status.has_flawed_inline_authentication()
        };
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
