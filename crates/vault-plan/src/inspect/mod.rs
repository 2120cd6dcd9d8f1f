//! Looks into hosts with the operator's token.

mod asker;
mod grants;
mod keys;
mod rights;
mod secrets;
mod undeclared;

use std::collections::{BTreeMap, BTreeSet};

use cli::Failure;
use openbao::{
    Error,
    token::{self, TokenRole},
};

use self::{asker::Asker, rights::token::TOKEN_ROLE};
use crate::{
    advice,
    denied::Denied,
    finding::Report,
    host::Host,
    server::{Server, patiently},
    side_by_side,
};

/// The token role of each namespace that hosts are in.
type TokenRoles = BTreeMap<Option<String>, TokenRole>;

/// A report for each host, in their order.
///
/// # Errors
/// The first question that had no answer; all that the operator may not ask.
pub(crate) fn all(hosts: &[Host], server: &Server) -> Result<Vec<Report>, Failure> {
    let mut refused = Denied::default();
    let token_roles = token_roles(hosts, server, &mut refused)?;
    let looked = side_by_side::each(
        hosts,
        || Asker::new(server, &token_roles),
        |asker, host| one(host, hosts, asker),
    );
    let mut reports = Vec::with_capacity(hosts.len());
    for (report, denied) in looked? {
        reports.push(report);
        refused.add(denied);
    }
    refused.judge(&server.client(None)?)?;
    Ok(reports)
}

/// Reads the token role in each namespace; where it is missing, one error tells all that is to be made.
fn token_roles(
    hosts: &[Host],
    server: &Server,
    denied: &mut Denied,
) -> Result<TokenRoles, Failure> {
    let with_secrets = hosts.iter().filter(|host| host.secrets().next().is_some());
    let namespaces: BTreeSet<_> = with_secrets.map(Host::namespace).collect();
    let (mut roles, mut missing) = (TokenRoles::new(), Vec::new());
    for namespace in namespaces {
        let client = server.client(namespace)?;
        match patiently(|| token::read_role(&client, TOKEN_ROLE)) {
            Err(Error::NotFound { .. }) => missing.push(namespace),
            answer => {
                let Some(role) = denied.note("read", answer)? else {
                    continue;
                };
                // another token would stay for a while
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
                advice::namespace(*namespace)
            )
        })
        .collect();
    Failure::failed(format_args!(
        "OpenBao has no token role `{TOKEN_ROLE}` that makes batch tokens, by which it tells what hosts' policies allow"
    ))
    .hint(format!(
        "somebody who may makes it once (`terraform/vault/operator.tf` does, too):\n\n{}",
        commands.join("\n")
    ))
}

fn one(host: &Host, hosts: &[Host], asker: &mut Asker<'_>) -> Result<(Report, Denied), Error> {
    let mut denied = Denied::default();
    let mut findings = secrets::findings(host, asker, &mut denied)?;
    let (of_rights, own_policy) = rights::findings(host, asker, &mut denied)?;
    findings.extend(of_rights);
    findings.extend(undeclared::findings(host, hosts, asker, &mut denied)?);
    if let Some(policy) = own_policy {
        let mounts = asker.mounts(host, &mut denied)?;
        findings.extend(grants::findings(host, hosts, &policy, mounts));
    }
    findings.sort();
    findings.dedup();
    let report = Report {
        name: host.name.clone(),
        hostname: host.declared.hostname.clone(),
        secrets: host.declared.secrets.len(),
        findings,
    };
    Ok((report, denied))
}
