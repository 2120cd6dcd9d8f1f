//! Initialising a cluster (API page `sys/init`), which needs no token and is possible once.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{Authentication, Client, Error, Method, Request};

/// The parameters of an initialisation. With auto unseal the shares are recovery key shares, which
/// do not unseal a server, but can create a root token.
#[derive(Clone, Debug, Default)]
pub struct InitRequest {
    /// The number of key shares.
    pub shares: u8,
    /// The number of key shares that are needed.
    pub threshold: u8,
    /// One binary PGP public key in base64 for each share; without any, the shares are not
    /// encrypted.
    pub pgp_keys: Vec<String>,
    /// The PGP public key for the root token.
    pub root_token_pgp_key: Option<String>,
    /// Set where the seal is one with auto unseal.
    pub auto_unseal: bool,
}

/// The answer to an initialisation, which OpenBao gives once.
#[derive(Debug, Deserialize)]
pub struct InitResponse {
    /// The key shares in hex; encrypted where PGP keys were given.
    #[serde(default)]
    pub keys: Vec<SecretString>,
    /// The same in base64.
    #[serde(default)]
    pub keys_base64: Vec<SecretString>,
    /// The recovery key shares in hex, with auto unseal.
    #[serde(default)]
    pub recovery_keys: Vec<SecretString>,
    /// The same in base64.
    #[serde(default)]
    pub recovery_keys_base64: Vec<SecretString>,
    /// The root token; encrypted where a PGP key was given for it.
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

/// Initialises the cluster. The answer exists nowhere else: without it, the cluster is lost.
///
/// # Errors
/// [`Error::Refused`] where it is initialised already or the numbers are not valid, and those of
/// [`Client::send`]; after [`Error::Unavailable`], the cluster may have been initialised all the
/// same.
pub fn initialise(client: &Client, parameters: &InitRequest) -> Result<InitResponse, Error> {
    let shamir = (!parameters.auto_unseal).then_some(());
    let recovery = parameters.auto_unseal.then_some(());
    let keys = (!parameters.pgp_keys.is_empty()).then_some(parameters.pgp_keys.as_slice());
    let body = Body {
        secret_shares: shamir.map(|()| parameters.shares),
        secret_threshold: shamir.map(|()| parameters.threshold),
        pgp_keys: shamir.and(keys),
        recovery_shares: recovery.map(|()| parameters.shares),
        recovery_threshold: recovery.map(|()| parameters.threshold),
        recovery_pgp_keys: recovery.and(keys),
        root_token_pgp_key: parameters.root_token_pgp_key.as_deref(),
    };
    let request = Request::new(Method::Post, "sys/init")
        .json(&body)?
        .authentication(Authentication::None)
        .small_answer();
    client.send_bare(&request)
}

/// The time that a client should wait for [`initialise`]: longer than for any other request,
/// because its answer cannot be requested again.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
