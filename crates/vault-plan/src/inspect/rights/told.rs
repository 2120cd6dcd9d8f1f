//! What is told of a host's role and policies.

use crate::{
    finding::{Details, Finding, Kind},
    host::Host,
    policy::Source,
};

pub(super) fn no_mount(host: &Host) -> Finding {
    let mount = &host.declared.openbao.approle_mount;
    let message = format!("AppRole is not mounted at `auth/{mount}/`: the host cannot log in");
    Finding::new(Kind::Denied, "mount", &role_path(host), message)
        .advice(format!("bao auth enable -path={mount} approle"))
}

pub(super) fn no_role(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!("there is no role `{path}`: the host cannot log in");
    let name = &host.declared.hostname;
    Finding::new(Kind::Denied, "role", &path, message).advice(format!(
        "make the host with `create-host --hostname {name}`"
    ))
}

/// OpenBao answers a login with such a role: `auth methods cannot create root tokens`.
pub(super) fn root(host: &Host) -> Finding {
    let name = &host.declared.hostname;
    let message =
        format!("the role `{name}` has the policy `root`, with which OpenBao lets nobody log in");
    Finding::new(Kind::Denied, "root", &role_path(host), message).advice("take it out of the role")
}

pub(super) fn no_policy(host: &Host, policy: &str) -> Finding {
    let name = &host.declared.hostname;
    let message = format!("the policy `{policy}` of the role `{name}` does not exist");
    let finding = Finding::new(Kind::Denied, "policy", &policy_path(policy), message)
        .details(of_policy(policy));
    if policy == host.policy() {
        return finding.advice(format!("make it with `create-host --hostname {name}`"));
    }
    finding.advice("write it with `bao policy write`, or take it out of the role")
}

pub(super) fn not_understood(policy: &str, reason: &str) -> Finding {
    let message = format!(
        "whether the host may read its secrets cannot be told: the policy `{policy}` is not understood here: {reason}"
    );
    Finding::new(Kind::Note, "policy", &policy_path(policy), message).details(of_policy(policy))
}

pub(super) fn no_read(path: &str, source: Option<Source>) -> Finding {
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

pub(super) fn no_list(path: &str) -> Finding {
    let message =
        format!("the host may not list `{path}`, which tells rotation in one request what is new");
    Finding::new(Kind::Note, "list", path, message)
        .advice("give a policy of its role `list` on this path")
}

pub(super) fn cannot_be_told(right: &str, path: &str, source: Source, why: &str) -> Finding {
    let Source { policy, path: rule } = source;
    let message = format!(
        "whether the host may {right} `{path}` cannot be told: the rule `{rule}` of the policy `{policy}` may be for it, and {why}"
    );
    Finding::new(Kind::Note, "rule", path, message).details(of_policy(&policy))
}

fn role_path(host: &Host) -> String {
    let mount = &host.declared.openbao.approle_mount;
    format!("auth/{mount}/role/{}", host.declared.hostname)
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
