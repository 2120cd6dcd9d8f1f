//! The host's role, and the address blocks to which it binds logins and tokens.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde_json::Value;
use zts_openbao::{Error, approle};

use super::findings;
use crate::{
    finding::Finding,
    host::Host,
    inspect::capability_client::CapabilityClient,
    missing_rights::MissingRights,
    server::{is_unmounted, retry_rate_limited},
};

/// The parameters of a role.
pub(super) type Role = BTreeMap<String, Value>;

/// The answer to a query of the host's role.
pub(super) enum RoleLookup {
    Role(Role),
    Absent(Box<Finding>),
    /// The operator may not read it.
    Denied,
}

/// The parameters with address blocks, and the actions that they restrict.
const BOUND_CIDRS: [(&str, &str); 2] = [
    ("secret_id_bound_cidrs", "log in"),
    ("token_bound_cidrs", "read"),
];

/// Reads the host's role.
pub(super) fn read_role(
    host: &Host,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<RoleLookup, Error> {
    let (mount, name) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let client = openbao.client(host)?;
    let answer = match retry_rate_limited(|| approle::read_role(client, mount, name)) {
        Err(Error::NotFound { api_error, .. }) if is_unmounted(&api_error) => {
            return Ok(RoleLookup::Absent(findings::no_mount(host).into()));
        }
        Err(Error::NotFound { .. }) => {
            return Ok(RoleLookup::Absent(findings::no_role(host).into()));
        }
        answer => missing_rights.record("read", answer)?,
    };
    Ok(answer.map_or(RoleLookup::Denied, RoleLookup::Role))
}

/// Returns a finding for each parameter whose blocks exclude the host's addresses, or may do so.
pub(super) fn check_bound_cidrs(host: &Host, role: &Role) -> Vec<Finding> {
    let bounds = BOUND_CIDRS.into_iter().filter_map(|(parameter, action)| {
        let blocks = string_list(role.get(parameter));
        let is_within = |address| blocks.iter().any(|block| contains(block, address));
        (!blocks.is_empty() && !host.addresses.iter().any(is_within))
            .then(|| findings::bound(host, parameter, action, &blocks))
    });
    bounds.collect()
}

fn string_list(value: Option<&Value>) -> Vec<&str> {
    let items = value.and_then(Value::as_array);
    let items = items.into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

/// Returns whether the block, or the single address, contains this address.
fn contains(block: &str, address: &IpAddr) -> bool {
    match block.parse::<IpNet>() {
        Ok(block) => block.contains(address),
        Err(_) => block.parse() == Ok(*address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_addresses_in_it() {
        for (block, address, expected) in [
            ("10.0.0.0/24", "10.0.0.7", true),
            ("10.0.0.7/32", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.9/24", "10.0.0.7", true),
            ("10.0.1.0/24", "10.0.0.7", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("2001:db8::/32", "10.0.0.7", false),
            ("0.0.0.0/0", "10.0.0.7", true),
            ("odd", "10.0.0.7", false),
        ] {
            assert_eq!(
                contains(block, &address.parse().unwrap()),
                expected,
                "{block}"
            );
        }
    }
}
