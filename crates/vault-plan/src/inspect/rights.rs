//! Whether the host's policies let it read its secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openbao::{Error, approle};
use serde_json::Value;

use super::asker::{Asker, Held};
use crate::{
    denied::Denied,
    finding::{Details, Finding, Kind},
    host::Host,
    policy::{Acl, Operation, Policy, Source, Verdict},
    server::{patiently, says_unmounted},
};

/// What keeps the host from its secrets, and its own policy where it has one.
pub(super) fn findings(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<(Vec<Finding>, Option<Rc<Policy>>), Error> {
    if host.declared.secrets.is_empty() {
        return Ok(Default::default());
    }
    let (mount, name) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let client = asker.client(host)?;
    let role = match patiently(|| approle::read_role(client, mount, name)) {
        Err(Error::NotFound { refusal, .. }) => {
            return Ok((vec![no_role(host, says_unmounted(&refusal))], None));
        }
        answer => denied.note("read", answer)?,
    };
    let Some(role) = role else {
        return Ok(Default::default());
    };
    let (mut findings, mut acl, mut own) = (Vec::new(), Acl::default(), None);
    let mut all_known = true;
    for policy in policies(&role) {
        match asker.policy(host, &policy, denied)? {
            Some(Held::Policy(held)) => {
                acl.add(&policy, &held);
                own = (policy == host.policy()).then_some(held).or(own);
            }
            Some(Held::Absent) => findings.push(no_policy(host, &policy)),
            Some(Held::NotUnderstood(reason)) => {
                findings.push(not_understood(&policy, &reason));
                all_known = false;
            }
            None => all_known = false,
        }
    }
    if all_known {
        findings.extend(unreadable(host, &acl));
        findings.extend(unlistable(host, &acl));
    }
    Ok((findings, own))
}

/// The policies of whoever logs in with the role.
fn policies(role: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let listed = role.get("token_policies").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let without_default = role.get("token_no_default_policy") == Some(&Value::Bool(true));
    let default = (!without_default).then_some("default");
    listed.chain(default).map(ToOwned::to_owned).collect()
}

fn unreadable(host: &Host, acl: &Acl) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, secret) in host.secrets() {
        let path = format!("{}/data/{}", host.kv_mount(), secret.secret_path);
        let finding = match acl.verdict(Operation::Read, &path) {
            Verdict::Allowed => continue,
            Verdict::Denied(source) => no_read(&path, source),
            Verdict::Unknown(source, why) => cannot_be_told("read", &path, source, why),
        };
        findings.push(finding.of(name));
    }
    findings
}

/// Rotation asks for the versions of all secrets in a folder, where it may.
fn unlistable(host: &Host, acl: &Acl) -> Vec<Finding> {
    let rotated = host
        .secrets()
        .filter(|(_, secret)| secret.rotation.is_some());
    let folders: BTreeSet<_> = rotated
        .map(|(_, secret)| match secret.secret_path.rsplit_once('/') {
            Some((folder, _)) => format!("{}/detailed-metadata/{folder}/", host.kv_mount()),
            None => format!("{}/detailed-metadata/", host.kv_mount()),
        })
        .collect();
    let findings = folders
        .iter()
        .filter_map(|path| match acl.verdict(Operation::List, path) {
            Verdict::Allowed => None,
            Verdict::Denied(_) => Some(no_list(path)),
            Verdict::Unknown(source, why) => Some(cannot_be_told("list", path, source, why)),
        });
    findings.collect()
}

fn no_role(host: &Host, unmounted: bool) -> Finding {
    let (mount, name) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let path = format!("auth/{mount}/role/{name}");
    if unmounted {
        let message = format!("AppRole is not mounted at `auth/{mount}/`: the host cannot log in");
        return Finding::new(Kind::Denied, "mount", &path, message)
            .advice(format!("bao auth enable -path={mount} approle"));
    }
    let message = format!("there is no role `{path}`: the host cannot log in");
    Finding::new(Kind::Denied, "role", &path, message).advice(format!(
        "make the host with `create-host --hostname {name}`"
    ))
}

fn no_policy(host: &Host, policy: &str) -> Finding {
    let name = &host.declared.hostname;
    let message = format!("the policy `{policy}` of the role `{name}` does not exist");
    let finding = Finding::new(Kind::Denied, "policy", &policy_path(policy), message)
        .details(of_policy(policy));
    if policy == host.policy() {
        return finding.advice(format!("make it with `create-host --hostname {name}`"));
    }
    finding.advice("write it with `bao policy write`, or take it out of the role")
}

fn not_understood(policy: &str, reason: &str) -> Finding {
    let message = format!(
        "whether the host may read its secrets cannot be told: the policy `{policy}` is not understood here: {reason}"
    );
    Finding::new(Kind::Note, "policy", &policy_path(policy), message).details(of_policy(policy))
}

fn no_read(path: &str, source: Option<Source>) -> Finding {
    let finding = |why: String| {
        let message = format!("the host may not read `{path}`: {why}");
        Finding::new(Kind::Denied, "read", path, message)
            .advice("give a policy of its role `read` on this path")
    };
    match source {
        None => finding("none of its policies has a rule for it".to_owned()),
        Some(Source { policy, path: rule }) => finding(format!(
            "it follows the rule `{rule}` of the policy `{policy}`"
        ))
        .details(of_policy(&policy)),
    }
}

fn no_list(path: &str) -> Finding {
    let message =
        format!("the host may not list `{path}`, which tells rotation in one request what is new");
    Finding::new(Kind::Note, "list", path, message)
        .advice("give a policy of its role `list` on this path")
}

fn cannot_be_told(right: &str, path: &str, source: Source, why: &str) -> Finding {
    let Source { policy, path: rule } = source;
    let message = format!(
        "whether the host may {right} `{path}` cannot be told: the rule `{rule}` of the policy `{policy}` may be for it, and {why}"
    );
    Finding::new(Kind::Note, "rule", path, message).details(of_policy(&policy))
}

fn policy_path(policy: &str) -> String {
    format!("sys/policies/acl/{policy}")
}

fn of_policy(policy: &str) -> Details {
    Details {
        policy: Some(policy.to_owned()),
        ..Details::default()
    }
}
