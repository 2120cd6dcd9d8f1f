//! What is told of a host's role and policies.

use openbao::token::TokenRole;

use super::token::TOKEN_ROLE;
use crate::{
    advice,
    finding::{Details, Finding, Kind},
    host::Host,
    policy::Rule,
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

/// OpenBao answers a login of such an identity: `entity is disabled`, or no more than `permission denied`.
pub(super) fn disabled(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!("the entity of the role `{path}` is disabled: the host cannot log in");
    Finding::new(Kind::Denied, "entity", &path, message)
        .advice("enable it with `bao write identity/entity/id/… disabled=false`")
}

pub(super) fn no_secret_id(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!("the role `{path}` has no secret id: the host cannot log in");
    let name = &host.declared.hostname;
    Finding::new(Kind::Denied, "secret-id", &path, message).advice(format!(
        "issue one with `create-host --hostname {name} --force`"
    ))
}

pub(super) fn not_understood(policy: &str, reason: &str) -> Finding {
    let message = format!(
        "whether the policy `{policy}` grants what nobody uses, or has templates, cannot be told: it is not understood here: {reason}"
    );
    Finding::new(Kind::Note, "policy", &policy_path(policy), message).details(of_policy(policy))
}

/// No token with these policies can be made.
pub(super) fn beyond(host: &Host, role: &TokenRole, policies: &[&str]) -> Finding {
    let shown: Vec<_> = policies.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "whether the host may read its secrets cannot be told: it has the policies {}, which the token role `{TOKEN_ROLE}` does not allow",
        shown.join(", ")
    );
    let globs = role.allowed_policies_glob.iter().map(String::as_str);
    let globs: Vec<_> = globs.chain(policies.iter().copied()).collect();
    let path = format!("auth/token/roles/{TOKEN_ROLE}");
    Finding::new(Kind::Note, "token-role", &path, message).advice(format!(
        "bao write{} {path} allowed_policies_glob={}",
        advice::namespace(host.namespace()),
        advice::word(&globs.join(","))
    ))
}

pub(super) fn no_read(path: &str, policies: &[&str]) -> Finding {
    let shown: Vec<_> = policies.iter().map(|name| format!("`{name}`")).collect();
    let why = match shown.as_slice() {
        [] => "it has no policy".to_owned(),
        [one] => format!("its policy {one} does not allow it"),
        several => format!("its policies {} do not allow it", several.join(", ")),
    };
    let message = format!("the host may not read `{path}`: {why}");
    Finding::new(Kind::Denied, "read", path, message)
        .advice("give a policy of its role `read` on this path")
}

pub(super) fn no_list(path: &str) -> Finding {
    let message =
        format!("the host may not list `{path}`, which tells rotation in one request what is new");
    Finding::new(Kind::Note, "list", path, message)
        .advice("give a policy of its role `list` on this path")
}

/// A template may come to this very path, once OpenBao knows who logs in.
pub(super) fn depends(path: &str, right: &str, rule: &Rule) -> Finding {
    let message = format!(
        "whether the host may {right} `{path}` cannot be told: the rule `{}` of one of its policies may be for it, and depends on who logs in",
        rule.path
    );
    Finding::new(Kind::Note, "template", path, message)
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
