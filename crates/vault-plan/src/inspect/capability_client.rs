//! Queries OpenBao, and caches the answers that several hosts share.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use zts_openbao::{
    Client, Error,
    sys::{self, Mount, VisibleMounts},
    token::TokenRole,
};

use crate::{
    host::Host,
    missing_rights::MissingRights,
    policy::Policy,
    server::{Server, retry_rate_limited},
};

/// The token role of each namespace.
pub(super) type TokenRoles = BTreeMap<Option<String>, TokenRole>;

/// Secrets engines by their path with a final `/`.
pub(super) type Mounts = BTreeMap<String, Mount>;

/// The answer to a query of a policy.
#[derive(Clone, Debug)]
pub(super) enum PolicyLookup {
    Parsed(Rc<Policy>),
    Absent,
    /// A policy that could not be parsed, with the reason.
    Invalid(Rc<str>),
}

/// The clients of one thread, one for each namespace, with cached answers.
#[derive(Debug)]
pub(super) struct CapabilityClient<'a> {
    server: &'a Server,
    token_roles: &'a TokenRoles,
    namespaces: BTreeMap<Option<String>, Namespace>,
}

#[derive(Debug)]
struct Namespace {
    client: Client,
    mounts: Option<VisibleMounts>,
    policies: BTreeMap<String, PolicyLookup>,
}

impl<'a> CapabilityClient<'a> {
    pub(super) fn new(server: &'a Server, token_roles: &'a TokenRoles) -> Self {
        Self {
            server,
            token_roles,
            namespaces: BTreeMap::new(),
        }
    }

    /// Returns the client for the host's namespace.
    pub(super) fn client(&mut self, host: &Host) -> Result<&Client, Error> {
        Ok(&self.namespace(host)?.client)
    }

    /// Queries the secrets engines that the operator sees in the host's namespace.
    pub(super) fn mounts(
        &mut self,
        host: &Host,
        missing_rights: &mut MissingRights,
    ) -> Result<&Mounts, Error> {
        Ok(&self.visible_mounts(host, missing_rights)?.secret)
    }

    /// Queries the accessor of the host's auth mount, if the operator sees it.
    pub(super) fn mount_accessor(
        &mut self,
        host: &Host,
        missing_rights: &mut MissingRights,
    ) -> Result<Option<String>, Error> {
        let mount = format!("{}/", host.declared.openbao.approle_mount);
        let visible = self.visible_mounts(host, missing_rights)?;
        Ok(visible.auth.get(&mount).map(|mount| mount.accessor.clone()))
    }

    fn visible_mounts(
        &mut self,
        host: &Host,
        missing_rights: &mut MissingRights,
    ) -> Result<&VisibleMounts, Error> {
        let Namespace { client, mounts, .. } = self.namespace(host)?;
        if mounts.is_none() {
            let answer = retry_rate_limited(|| sys::visible_mounts(client));
            *mounts = missing_rights.record("read", answer)?;
        }
        Ok(mounts.get_or_insert_default())
    }

    /// Returns the token role of the host's namespace; none if the operator may not read it.
    pub(super) fn token_role(&self, host: &Host) -> Option<&'a TokenRole> {
        let namespace = host.namespace().map(ToOwned::to_owned);
        self.token_roles.get(&namespace)
    }

    /// Queries the policy `name` in the host's namespace; none if the operator may not read it.
    pub(super) fn policy(
        &mut self,
        host: &Host,
        name: &str,
        missing_rights: &mut MissingRights,
    ) -> Result<Option<PolicyLookup>, Error> {
        let Namespace {
            client, policies, ..
        } = self.namespace(host)?;
        if let Some(policy) = policies.get(name) {
            return Ok(Some(policy.clone()));
        }
        let policy = match retry_rate_limited(|| sys::read_policy(client, name)) {
            Err(Error::NotFound { .. }) => PolicyLookup::Absent,
            answer => match missing_rights.record("read", answer)? {
                None => return Ok(None),
                Some(text) => match Policy::parse(&text) {
                    Ok(policy) => PolicyLookup::Parsed(policy.into()),
                    Err(reason) => PolicyLookup::Invalid(reason.into()),
                },
            },
        };
        policies.insert(name.to_owned(), policy.clone());
        Ok(Some(policy))
    }

    fn namespace(&mut self, host: &Host) -> Result<&mut Namespace, Error> {
        let name = host.namespace().map(ToOwned::to_owned);
        Ok(match self.namespaces.entry(name) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Namespace {
                client: self.server.client(host.namespace())?,
                mounts: None,
                policies: BTreeMap::new(),
            }),
        })
    }
}
