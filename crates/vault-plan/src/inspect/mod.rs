//! Looks into hosts with the operator's token.

mod asker;
mod grants;
mod keys;
mod rights;
mod secrets;
mod undeclared;

use cli::Failure;
use openbao::Error;

use crate::{denied::Denied, finding::Report, host::Host, server::Server, side_by_side};

use asker::Asker;

/// A report for each host, in their order.
///
/// # Errors
/// The first question that had no answer; all that the operator may not ask.
pub(crate) fn all(hosts: &[Host], server: &Server) -> Result<Vec<Report>, Failure> {
    let looked = side_by_side::each(
        hosts,
        || Asker::new(server),
        |asker, host| one(host, hosts, asker),
    );
    let mut refused = Denied::default();
    let mut reports = Vec::with_capacity(hosts.len());
    for (report, denied) in looked? {
        reports.push(report);
        refused.add(denied);
    }
    refused.judge(&server.client(None)?)?;
    Ok(reports)
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
