//! Asks OpenBao, and keeps what several hosts have in common.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use openbao::{
    Client, Error,
    sys::{self, Mount, VisibleMounts},
};

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
    namespaces: BTreeMap<Option<String>, Namespace>,
}

#[derive(Debug)]
struct Namespace {
    client: Client,
    mounts: Option<Mounts>,
    policies: BTreeMap<String, Held>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self {
            server,
            namespaces: BTreeMap::new(),
        }
    }

    /// The client for the host's namespace.
    pub(super) fn client(&mut self, host: &Host) -> Result<&Client, Error> {
        Ok(&self.namespace(host)?.client)
    }

    /// The secrets engines that the operator sees in the host's namespace.
    pub(super) fn mounts(&mut self, host: &Host, denied: &mut Denied) -> Result<&Mounts, Error> {
        let Namespace { client, mounts, .. } = self.namespace(host)?;
        if mounts.is_none() {
            let answer = patiently(|| sys::visible_mounts(client));
            let visible = denied.note("read", answer)?;
            *mounts = visible.map(|VisibleMounts { secret, .. }| secret);
        }
        Ok(mounts.get_or_insert_default())
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
