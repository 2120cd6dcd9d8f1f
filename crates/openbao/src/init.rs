//! Initialising a cluster (API page `sys/init`): needs no token, and happens once.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{Authentication, Client, Error, Method, Request};

/// How a cluster is initialised. With a seal that opens by itself the shares are recovery key shares,
/// which unseal nothing, but make a root token.
#[derive(Clone, Debug, Default)]
pub struct Initialisation {
    /// How many key shares there are.
    pub shares: u8,
    /// How many of them it takes.
    pub threshold: u8,
    /// Base64 of one binary PGP public key for each share; none leaves them in clear.
    pub pgp_keys: Vec<String>,
    /// The same for the root token.
    pub root_token_pgp_key: Option<String>,
    /// Whether the seal opens by itself.
    pub opens_itself: bool,
}

/// What OpenBao says once and never again.
#[derive(Debug, Deserialize)]
pub struct Initialised {
    /// The key shares in hex; encrypted where PGP keys were given.
    #[serde(default)]
    pub keys: Vec<SecretString>,
    /// The same in base64.
    #[serde(default)]
    pub keys_base64: Vec<SecretString>,
    /// With a seal that opens by itself: the recovery key shares in hex.
    #[serde(default)]
    pub recovery_keys: Vec<SecretString>,
    /// The same in base64.
    #[serde(default)]
    pub recovery_keys_base64: Vec<SecretString>,
    /// The token that may do everything; encrypted where a PGP key was given for it.
    pub root_token: SecretString,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_shares: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_threshold: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pgp_keys: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_shares: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_threshold: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_pgp_keys: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_token_pgp_key: Option<&'a str>,
}

/// Initialises the cluster. The answer exists nowhere else: who loses it has lost the cluster.
///
/// # Errors
/// [`Error::Refused`] where it is initialised already or the numbers make no sense, and what
/// [`Client::send`] gives; after [`Error::Unavailable`], it may have been initialised all the same.
pub fn initialise(client: &Client, wanted: &Initialisation) -> Result<Initialised, Error> {
    let here = |yes: bool| yes.then_some(());
    let shamir = here(!wanted.opens_itself);
    let recovery = here(wanted.opens_itself);
    let keys = (!wanted.pgp_keys.is_empty()).then_some(wanted.pgp_keys.as_slice());
    let body = Body {
        secret_shares: shamir.map(|()| wanted.shares),
        secret_threshold: shamir.map(|()| wanted.threshold),
        pgp_keys: shamir.and(keys),
        recovery_shares: recovery.map(|()| wanted.shares),
        recovery_threshold: recovery.map(|()| wanted.threshold),
        recovery_pgp_keys: recovery.and(keys),
        root_token_pgp_key: wanted.root_token_pgp_key.as_deref(),
    };
    let request = Request::new(Method::Post, "sys/init")
        .json(&body)?
        .authentication(Authentication::None)
        .small_answer();
    client.send_bare(&request)
}

/// How long a client should wait for [`initialise`]: longer than for anything else, since its answer
/// cannot be asked for again.
pub const PATIENCE: Duration = Duration::from_secs(120);
