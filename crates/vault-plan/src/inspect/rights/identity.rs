//! Policies that a host has by its identity: of its entity, and of the groups that this is in.

use std::collections::BTreeSet;

use openbao::{Error, approle, identity};
use secrecy::ExposeSecret;

use crate::{denied::Denied, host::Host, inspect::asker::Asker, server::patiently};

/// What OpenBao knows of the host beside its role. A host that never logged in has none.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) policies: BTreeSet<String>,
    /// Whether it may not log in.
    pub(super) is_disabled: bool,
}

/// What the operator may not ask is left out, and noted.
pub(super) fn of(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Identity, Error> {
    let (mount, role) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let Some(accessor) = asker.accessor(host, denied)? else {
        return Ok(Identity::default());
    };
    let client = asker.client(host)?;
    let role_id = patiently(|| approle::role_id(client, mount, role));
    let Some(role_id) = denied.note("read", role_id)? else {
        return Ok(Identity::default());
    };
    // AppRole calls whoever logs in by the role id
    let found = patiently(|| identity::by_alias(client, role_id.expose_secret(), &accessor));
    let Some(entity) = denied.note("update", found)?.flatten() else {
        return Ok(Identity::default());
    };
    let mut policies: BTreeSet<_> = entity.policies.into_iter().collect();
    for group in &entity.group_ids {
        let answer = patiently(|| identity::group(client, group));
        let group = denied.note("read", answer)?;
        policies.extend(group.map(|group| group.policies).unwrap_or_default());
    }
    Ok(Identity {
        policies,
        is_disabled: entity.disabled,
    })
}
