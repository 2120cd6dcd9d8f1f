//! What a host's policies allow, in OpenBao's own words: a batch token with them, which is stored nowhere, and one
//! request for all paths.

use std::collections::{BTreeMap, BTreeSet};

use openbao::{
    Client, Error, sys,
    token::{self, TokenRole},
};

use crate::server::patiently;

/// The token role, with which an operator may have tokens of hosts' policies and no others.
pub(crate) const TOKEN_ROLE: &str = "vault-plan";

/// The policies of whoever logs in.
#[derive(Debug, Default)]
pub(super) struct Policies {
    pub(super) names: BTreeSet<String>,
    /// Whether `default` is among them.
    pub(super) with_default: bool,
}

impl Policies {
    /// All of them by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        let default = self.with_default.then_some("default");
        self.names.iter().map(String::as_str).chain(default)
    }

    /// Those that the token role does not allow.
    pub(super) fn beyond(&self, role: &TokenRole) -> Vec<&str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !role.allows(name)).collect()
    }
}

/// What these policies allow on each of `paths`.
pub(super) fn capabilities(
    client: &Client,
    policies: &Policies,
    paths: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let names: Vec<_> = policies.names.iter().map(String::as_str).collect();
    let made =
        patiently(|| token::create_batch(client, TOKEN_ROLE, &names, policies.with_default))?;
    patiently(|| sys::capabilities(client, &made, paths))
}
