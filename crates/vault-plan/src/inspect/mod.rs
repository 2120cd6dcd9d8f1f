//! Inspects hosts with the operator's token.

mod capability_client;
mod credentials;
mod grants;
mod keys;
mod rights;
mod secrets;
mod undeclared;

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_openbao::{Error, token};

pub(crate) use keys::needed_keys;

use self::{
    capability_client::{CapabilityClient, TokenRoles},
    rights::token::TOKEN_ROLE,
};
use crate::{
    finding::HostReport,
    host::{Host, namespace_flag},
    missing_rights::MissingRights,
    parallel,
    server::{Server, retry_rate_limited},
};

/// Inspects all hosts, several at once; returns the reports in the hosts' order.
///
/// # Errors
/// The first request without an answer; the rights that the operator lacks.
pub(crate) fn inspect_hosts(hosts: &[Host], server: &Server) -> Result<Vec<HostReport>, Failure> {
    let mut missing_rights = MissingRights::default();
    let token_roles = read_token_roles(hosts, server, &mut missing_rights)?;
    let inspected = parallel::try_map(
        hosts,
        || CapabilityClient::new(server, &token_roles),
        |openbao, host| inspect_host(host, hosts, openbao),
    );
    let mut reports = Vec::with_capacity(hosts.len());
    for (report, missing) in inspected? {
        reports.push(report);
        missing_rights.extend(missing);
    }
    missing_rights.check(&server.client(None)?)?;
    Ok(reports)
}

/// Reads the token role in each namespace; one error has all namespaces without one.
fn read_token_roles(
    hosts: &[Host],
    server: &Server,
    missing_rights: &mut MissingRights,
) -> Result<TokenRoles, Failure> {
    let with_secrets = hosts.iter().filter(|host| host.secrets().next().is_some());
    let namespaces: BTreeSet<_> = with_secrets.map(Host::namespace).collect();
    let (mut roles, mut missing) = (TokenRoles::new(), Vec::new());
    for namespace in namespaces {
        let client = server.client(namespace)?;
        match retry_rate_limited(|| token::read_role(&client, TOKEN_ROLE)) {
            Err(Error::NotFound { .. }) => missing.push(namespace),
            answer => {
                let Some(role) = missing_rights.record("read", answer)? else {
                    continue;
                };
                // a token of another type would be stored
                if role.token_type == "batch" {
                    roles.insert(namespace.map(ToOwned::to_owned), role);
                } else {
                    missing.push(namespace);
                }
            }
        }
    }
    if missing.is_empty() {
        return Ok(roles);
    }
    Err(no_token_role(&missing))
}

fn no_token_role(namespaces: &[Option<&str>]) -> Failure {
    let commands: Vec<_> = namespaces
        .iter()
        .map(|namespace| {
            format!(
                "bao write{} auth/token/roles/{TOKEN_ROLE} allowed_policies_glob='host-*' token_type=batch orphan=true renewable=false",
                namespace_flag(*namespace)
            )
        })
        .collect();
    Failure::failed(format_args!(
        "OpenBao has no token role `{TOKEN_ROLE}` of batch tokens, with which the capabilities of hosts' policies are queried"
    ))
    .hint(format!(
        "create it once, with a token that may (`terraform/vault/operator.tf` does so, too):\n\n{}",
        commands.join("\n")
    ))
}

fn inspect_host(
    host: &Host,
    hosts: &[Host],
    openbao: &mut CapabilityClient<'_>,
) -> Result<(HostReport, MissingRights), Error> {
    let mut missing_rights = MissingRights::default();
    let mut findings = secrets::check_secrets(host, openbao, &mut missing_rights)?;
    let (of_rights, own_policy) = rights::check_rights(host, openbao, &mut missing_rights)?;
    findings.extend(of_rights);
    findings.extend(undeclared::find_undeclared(
        host,
        hosts,
        openbao,
        &mut missing_rights,
    )?);
    if let Some(policy) = own_policy {
        let mounts = openbao.mounts(host, &mut missing_rights)?;
        findings.extend(grants::find_unused(host, hosts, &policy, mounts));
    }
    findings.sort();
    findings.dedup();
    let report = HostReport {
        name: host.name.clone(),
        hostname: host.declared.hostname.clone(),
        secrets: host.declared.secrets.len(),
        findings,
    };
    Ok((report, missing_rights))
}
