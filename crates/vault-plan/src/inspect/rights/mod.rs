//! Whether the host's policies let it read its secrets.

mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openbao::{Error, approle};
use serde_json::Value;

use super::asker::{Asker, Held};
use crate::{
    denied::Denied,
    finding::Finding,
    host::Host,
    policy::{Acl, Operation, Policy, Verdict},
    server::{patiently, says_unmounted},
};

/// A role as OpenBao gives it.
type Role = BTreeMap<String, Value>;

/// What keeps the host from its secrets, and its own policy where it has one.
pub(super) fn findings(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<(Vec<Finding>, Option<Rc<Policy>>), Error> {
    if host.declared.secrets.is_empty() {
        return Ok(Default::default());
    }
    let Some(role) = role(host, asker, denied)? else {
        return Ok(Default::default());
    };
    let policies = match role {
        Ok(role) => policies(&role),
        Err(finding) => return Ok((vec![finding], None)),
    };
    if policies.contains("root") {
        return Ok((vec![told::root(host)], None));
    }
    let (mut findings, mut acl, mut own) = (Vec::new(), Acl::default(), None);
    let mut all_known = true;
    for policy in policies {
        match asker.policy(host, &policy, denied)? {
            Some(Held::Policy(held)) => {
                acl.add(&policy, &held);
                own = (policy == host.policy()).then_some(held).or(own);
            }
            Some(Held::Absent) => findings.push(told::no_policy(host, &policy)),
            Some(Held::NotUnderstood(reason)) => {
                findings.push(told::not_understood(&policy, &reason));
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

/// The host's role, or that there is none; `None` where the operator may not read it.
fn role(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Option<Result<Role, Finding>>, Error> {
    let (mount, name) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let client = asker.client(host)?;
    match patiently(|| approle::read_role(client, mount, name)) {
        Err(Error::NotFound { refusal, .. }) => Ok(Some(Err(if says_unmounted(&refusal) {
            told::no_mount(host)
        } else {
            told::no_role(host)
        }))),
        answer => Ok(denied.note("read", answer)?.map(Ok)),
    }
}

/// The policies of whoever logs in with the role.
fn policies(role: &Role) -> BTreeSet<String> {
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
            Verdict::Denied(source) => told::no_read(&path, source),
            Verdict::Unknown(source, why) => told::cannot_be_told("read", &path, source, why),
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
            Verdict::Denied(_) => Some(told::no_list(path)),
            Verdict::Unknown(source, why) => Some(told::cannot_be_told("list", path, source, why)),
        });
    findings.collect()
}
