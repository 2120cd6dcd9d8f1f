//! Policies that a host has by its identity: those of its entity and of the entity's groups.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use zts_openbao::{Error, approle, identity};

use crate::{
    host::Host, inspect::capability_client::CapabilityClient, missing_rights::MissingRights,
    server::retry_rate_limited,
};

/// The identity of a host; empty if it has never logged in.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) policies: BTreeSet<String>,
    /// True if its logins are refused.
    pub(super) is_disabled: bool,
}

/// Reads the identity, as far as the operator may.
pub(super) fn read_identity(
    host: &Host,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<Identity, Error> {
    let (mount, role) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let Some(accessor) = openbao.mount_accessor(host, missing_rights)? else {
        return Ok(Identity::default());
    };
    let client = openbao.client(host)?;
    let role_id = retry_rate_limited(|| approle::role_id(client, mount, role));
    let Some(role_id) = missing_rights.record("read", role_id)? else {
        return Ok(Identity::default());
    };
    // the alias of an AppRole login is the role id
    let answer = retry_rate_limited(|| {
        identity::find_entity_by_alias(client, role_id.expose_secret(), &accessor)
    });
    let Some(entity) = missing_rights.record("update", answer)?.flatten() else {
        return Ok(Identity::default());
    };
    let mut policies: BTreeSet<_> = entity.policies.into_iter().collect();
    for group in &entity.group_ids {
        let answer = retry_rate_limited(|| identity::read_group(client, group));
        let group = missing_rights.record("read", answer)?;
        policies.extend(group.map(|group| group.policies).unwrap_or_default());
    }
    Ok(Identity {
        policies,
        is_disabled: entity.disabled,
    })
}
