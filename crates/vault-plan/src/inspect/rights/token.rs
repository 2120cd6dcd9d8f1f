//! Queries the capabilities of a host's policies: with a batch token, which OpenBao does not store,
//! and one request for all paths.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde::de::IgnoredAny;
use zts_openbao::{
    Authentication, Client, Error, Method, Request, sys,
    token::{self, TokenRole},
};

use crate::server::retry_rate_limited;

/// The token role that gives an operator tokens with hosts' policies and no others.
pub(crate) const TOKEN_ROLE: &str = "vault-plan";

/// The policies of a token.
#[derive(Debug, Default)]
pub(super) struct TokenPolicies {
    pub(super) names: BTreeSet<String>,
    /// True if the token also has `default`.
    pub(super) with_default: bool,
}

impl TokenPolicies {
    /// Returns all names.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        let default = self.with_default.then_some("default");
        self.names.iter().map(String::as_str).chain(default)
    }

    /// Returns the policies that the token role does not allow.
    pub(super) fn not_allowed_by(&self, role: &TokenRole) -> Vec<&str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !role.allows(name)).collect()
    }
}

/// Queries the capabilities of these policies on each path.
pub(super) fn capabilities(
    client: &Client,
    policies: &TokenPolicies,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let token = create_token(client, policies)?;
    retry_rate_limited(|| sys::capabilities(client, &token, paths))
}

/// Reads `path` with these policies and ignores the data.
///
/// # Errors
/// [`Error::Denied`] if the policies do not allow it, and OpenBao's other errors.
pub(super) fn try_read(client: &Client, policies: &TokenPolicies, path: &str) -> Result<(), Error> {
    let token = create_token(client, policies)?;
    let identity = Authentication::Token(token);
    let read = || Request::new(Method::Get, path).authentication(identity.clone());
    retry_rate_limited(|| client.send::<IgnoredAny>(&read())).map(drop)
}

fn create_token(client: &Client, policies: &TokenPolicies) -> Result<SecretString, Error> {
    let names: Vec<_> = policies.names.iter().map(String::as_str).collect();
    retry_rate_limited(|| token::create_batch(client, TOKEN_ROLE, &names, policies.with_default))
}
