//! The system backend (API pages `sys/…`).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use zts_net::{bounded, http_date::parse_http_date};

pub use crate::node_status::{Leader, SOUND_INLINE_AUTHENTICATION, SealStatus};
use crate::{
    Authentication, Client, Error, Method, Request,
    route::{forwarding_headers, last_index},
};

/// A mounted secrets engine or auth method.
#[derive(Debug, Deserialize)]
pub struct Mount {
    /// The type of the engine or method, such as `kv` or `approle`.
    #[serde(rename = "type", deserialize_with = "bounded::deserialize_text")]
    pub kind: String,
    /// The accessor, to which the aliases of identities refer.
    #[serde(default)]
    pub accessor: String,
    /// Its options; for `kv`, `version` is 1 or 2.
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
    /// Returns whether the auth method was tuned to have no user lockout. The server's own
    /// configuration may disable it as well, which does not show here.
    pub fn has_lockout_disabled(&self) -> bool {
        self.config.user_lockout_config.user_lockout_disable
    }

    /// Returns whether it is a KV engine without versions.
    pub fn is_kv_version_1(&self) -> bool {
        let options = self.options.as_ref();
        let version = options.and_then(|options| options.get("version"));
        self.kind == "kv" && version.is_none_or(|version| version != "2")
    }
}

/// Returns the client's capabilities on each of `paths`: `read`, `create`, `root`, `deny` and so on
/// (API page `sys/capabilities-self`).
///
/// # Errors
/// Those of [`Client::send`].
pub fn capabilities_self(
    client: &Client,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let request = Request::new(Method::Post, "sys/capabilities-self")
        .json(&json!({ "paths": paths }))?
        .repeatable();
    read_capabilities(client, &request, paths)
}

/// Returns the capabilities of another token on each of `paths` (API page `sys/capabilities`).
///
/// # Errors
/// Those of [`Client::send`].
pub fn capabilities(
    client: &Client,
    token: &SecretString,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let request = Request::new(Method::Post, "sys/capabilities")
        .json(&json!({ "token": token.expose_secret(), "paths": paths }))?
        .secret(token)
        .repeatable();
    read_capabilities(client, &request, paths)
}

/// Returns the lists of the paths; the answer also has the fields of every answer.
fn read_capabilities(
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

/// Lists the mounted secrets engines and auth methods that the token may see, by their path with a
/// final `/`.
///
/// # Errors
/// Those of [`Client::send`].
pub fn visible_mounts(client: &Client) -> Result<VisibleMounts, Error> {
    client.data(&Request::new(Method::Get, "sys/internal/ui/mounts"))
}

/// Returns the secrets engine that answers for `path`. It needs a capability there, and a token:
/// inline authentication is not supported.
///
/// # Errors
/// Those of [`Client::send`].
pub fn visible_mount(client: &Client, path: &str) -> Result<Mount, Error> {
    let path = format!("sys/internal/ui/mounts/{path}");
    client.data(&Request::new(Method::Get, &path))
}

/// The visible mounts (API page `sys/internal/ui/mounts`): those on which the token has any
/// capability.
#[derive(Debug, Default, Deserialize)]
pub struct VisibleMounts {
    /// Secrets engines.
    pub secret: BTreeMap<String, Mount>,
    /// Auth methods, without `auth/` in front.
    pub auth: BTreeMap<String, Mount>,
}

/// Disables the user lockout of an auth method (API page `sys/auth`, "Tune auth method"). The
/// configuration of a new mount cannot do that.
///
/// # Errors
/// Those of [`Client::send`]; it needs `sudo` on the path.
pub fn disable_lockout(client: &Client, mount: &str) -> Result<(), Error> {
    let path = format!("sys/auth/{mount}/tune");
    let request = Request::new(Method::Post, &path)
        .json(&json!({ "user_lockout_config": { "lockout_disable": true } }))?
        .repeatable();
    client.send_ignoring_reply(&request)
}

/// Reads a server's seal status, which needs no token.
///
/// # Errors
/// Those of [`Client::send`].
pub fn seal_status(client: &Client) -> Result<SealStatus, Error> {
    let request = Request::new(Method::Get, "sys/seal-status")
        .authentication(Authentication::None)
        .small_answer();
    client.send_bare(&request)
}

/// Returns the time by a server's own clock, which decides what has expired; `None` where its
/// answer has no date. It needs no token.
///
/// # Errors
/// Those of [`Client::send`].
pub fn server_time(client: &Client) -> Result<Option<SystemTime>, Error> {
    let request = Request::new(Method::Get, "sys/seal-status")
        .authentication(Authentication::None)
        .small_answer();
    let date = client.send_to_any(&request, |answer| Ok(answer.date.clone()))?;
    Ok(date.flatten().as_deref().and_then(parse_http_date))
}

/// Returns the active server, as the server that is tried first knows it. It needs no token; a
/// sealed server does not answer it.
///
/// # Errors
/// Those of [`Client::send`].
pub fn leader(client: &Client) -> Result<Leader, Error> {
    let request = Request::new(Method::Get, "sys/leader")
        .authentication(Authentication::None)
        .small_answer();
    client.send_bare(&request)
}

/// Returns whether the server that is tried first is active, or reaches the active one. It needs no
/// token.
///
/// A standby that has lost its leader goes on answering reads, and may go on naming it. So it gets
/// a request that only the leader can answer: one for data that is newer than any (concepts page
/// "Eventual consistency"), which the standby forwards.
///
/// # Errors
/// Those of [`Client::send`], after which nothing is known.
pub fn has_leader(client: &Client) -> Result<bool, Error> {
    let leader = leader(client)?;
    if leader.is_active() || leader.leader_address.is_empty() {
        return Ok(leader.is_active());
    }
    let status = seal_status(client)?;
    let mut request =
        Request::new(Method::Get, "sys/internal/ui/mounts").authentication(Authentication::None);
    request
        .headers
        .extend(forwarding_headers(&last_index(&status.cluster_id)));
    let answer = client.send::<serde::de::IgnoredAny>(&request);
    match answer {
        Err(error) if error.is_rate_limited() => Err(error),
        answer => Ok(!answer.is_err_and(|error| error.is_unavailable())),
    }
}

/// Returns whether the server that is tried first, a standby, answers reads itself. It needs no
/// token.
///
/// Other standbys forward each read to the active server: those before OpenBao 2.5, those with
/// `disable_standby_reads`, and those whose configuration differs from the storage where it must
/// not, such as in audit devices.
///
/// # Errors
/// Those of [`Client::send`].
pub fn answers_reads(client: &Client) -> Result<bool, Error> {
    let request = Request::new(Method::Get, "sys/internal/ui/mounts")
        .authentication(Authentication::None)
        .header("X-Vault-No-Request-Forwarding", "true");
    client.answers_without_redirect(&request)
}

/// Reads the text of an ACL policy.
///
/// # Errors
/// [`Error::NotFound`] where there is none of this name, and those of [`Client::send`].
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
/// Those of [`Client::send`].
pub fn write_policy(client: &Client, name: &str, policy: &str) -> Result<(), Error> {
    let path = format!("sys/policies/acl/{name}");
    let request = Request::new(Method::Post, &path)
        .json(&json!({ "policy": policy }))?
        .repeatable();
    client.send_ignoring_reply(&request)
}

/// Deletes an ACL policy.
///
/// # Errors
/// Those of [`Client::send`]. A missing one is not an error.
pub fn delete_policy(client: &Client, name: &str) -> Result<(), Error> {
    let path = format!("sys/policies/acl/{name}");
    client.send_ignoring_reply(&Request::new(Method::Delete, &path).repeatable())
}
