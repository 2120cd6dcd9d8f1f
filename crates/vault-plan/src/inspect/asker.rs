//! Asks OpenBao, and keeps what several hosts have in common.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use openbao::{
    Client, Error,
    sys::{self, Mount, VisibleMounts},
    token::TokenRole,
};

use super::TokenRoles;
use crate::{
    denied::Denied,
    host::Host,
    policy::Policy,
    server::{Server, patiently},
};

/// Secrets engines by their path with a final `/`.
pub(super) type Mounts = BTreeMap<String, Mount>;

/// A policy as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Policy(Rc<Policy>),
    Absent,
    /// Why it is not understood.
    NotUnderstood(Rc<str>),
}

/// The clients of one thread, one for each namespace, and what they heard.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    server: &'a Server,
    token_roles: &'a TokenRoles,
    namespaces: BTreeMap<Option<String>, Namespace>,
}

#[derive(Debug)]
struct Namespace {
    client: Client,
    mounts: Option<VisibleMounts>,
    policies: BTreeMap<String, Held>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(server: &'a Server, token_roles: &'a TokenRoles) -> Self {
        Self {
            server,
            token_roles,
            namespaces: BTreeMap::new(),
        }
    }

    /// The client for the host's namespace.
    pub(super) fn client(&mut self, host: &Host) -> Result<&Client, Error> {
        Ok(&self.namespace(host)?.client)
    }

    /// The secrets engines that the operator sees in the host's namespace.
    pub(super) fn mounts(&mut self, host: &Host, denied: &mut Denied) -> Result<&Mounts, Error> {
        Ok(&self.visible(host, denied)?.secret)
    }

    /// What names the host's auth mount to identities, where the operator sees that.
    pub(super) fn accessor(
        &mut self,
        host: &Host,
        denied: &mut Denied,
    ) -> Result<Option<String>, Error> {
        let mount = format!("{}/", host.declared.openbao.approle_mount);
        let visible = self.visible(host, denied)?;
        Ok(visible.auth.get(&mount).map(|mount| mount.accessor.clone()))
    }

    fn visible(&mut self, host: &Host, denied: &mut Denied) -> Result<&VisibleMounts, Error> {
        let Namespace { client, mounts, .. } = self.namespace(host)?;
        if mounts.is_none() {
            let answer = patiently(|| sys::visible_mounts(client));
            *mounts = denied.note("read", answer)?;
        }
        Ok(mounts.get_or_insert_default())
    }

    /// The token role of the host's namespace; `None` where the operator may not read it.
    pub(super) fn token_role(&self, host: &Host) -> Option<&'a TokenRole> {
        let namespace = host.namespace().map(ToOwned::to_owned);
        self.token_roles.get(&namespace)
    }

    /// The policy `name` in the host's namespace; `None` where the operator may not read it.
    pub(super) fn policy(
        &mut self,
        host: &Host,
        name: &str,
        denied: &mut Denied,
    ) -> Result<Option<Held>, Error> {
        let Namespace {
            client, policies, ..
        } = self.namespace(host)?;
        if let Some(held) = policies.get(name) {
            return Ok(Some(held.clone()));
        }
        let held = match patiently(|| sys::read_policy(client, name)) {
            Err(Error::NotFound { .. }) => Held::Absent,
            answer => match denied.note("read", answer)? {
                None => return Ok(None),
                Some(text) => match Policy::parse(&text) {
                    Ok(policy) => Held::Policy(policy.into()),
                    Err(reason) => Held::NotUnderstood(reason.into()),
                },
            },
        };
        policies.insert(name.to_owned(), held.clone());
        Ok(Some(held))
    }

    fn namespace(&mut self, host: &Host) -> Result<&mut Namespace, Error> {
        let name = host.namespace().map(ToOwned::to_owned);
        Ok(match self.namespaces.entry(name) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => place.insert(Namespace {
                client: self.server.client(host.namespace())?,
                mounts: None,
                policies: BTreeMap::new(),
            }),
        })
    }
}
