//! The findings about a host's role and policies.

use zts_cli::{quoted_list, shell_word};
use zts_openbao::token::TokenRole;

use super::token::TOKEN_ROLE;
use crate::{
    finding::{Details, Finding, Kind},
    host::{Host, namespace_flag},
    policy::Rule,
};

pub(super) fn no_mount(host: &Host) -> Finding {
    let mount = &host.declared.openbao.approle_mount;
    let message = format!("AppRole is not mounted at `auth/{mount}/`: the host cannot log in");
    Finding::new(Kind::Denied, "mount", &role_path(host), message).advice(format!(
        "bao auth enable -path={} approle",
        shell_word(mount)
    ))
}

pub(super) fn no_role(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!("there is no role `{path}`: the host cannot log in");
    let name = shell_word(&host.declared.hostname);
    Finding::new(Kind::Denied, "role", &path, message).advice(format!(
        "make the host with `create-host --hostname {name}`"
    ))
}

/// Returns the finding about a role with which OpenBao answers `auth methods cannot create root
/// tokens`.
pub(super) fn root(host: &Host) -> Finding {
    let name = &host.declared.hostname;
    let message =
        format!("the role `{name}` has the policy `root`, with which OpenBao refuses all logins");
    Finding::new(Kind::Denied, "root", &role_path(host), message).advice("remove it from the role")
}

pub(super) fn no_policy(host: &Host, policy: &str) -> Finding {
    let name = &host.declared.hostname;
    let message = format!("the policy `{policy}` of the role `{name}` does not exist");
    let finding = Finding::new(Kind::Denied, "policy", &policy_path(policy), message)
        .details(policy_details(policy));
    if policy == host.policy() {
        return finding.advice(format!(
            "make it with `create-host --hostname {}`",
            shell_word(name)
        ));
    }
    finding.advice("write it with `bao policy write`, or remove it from the role")
}

/// Returns the finding about an identity with which OpenBao answers `entity is disabled` or
/// `permission denied`.
pub(super) fn disabled(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!("the entity of the role `{path}` is disabled: the host cannot log in");
    Finding::new(Kind::Denied, "entity", &path, message)
        .advice("enable it with `bao write identity/entity/id/… disabled=false`")
}

pub(super) fn no_secret_id(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!("the role `{path}` has no secret id: the host cannot log in");
    let name = shell_word(&host.declared.hostname);
    Finding::new(Kind::Denied, "secret-id", &path, message).advice(format!(
        "issue one with `create-host --hostname {name} --force`"
    ))
}

/// Returns the finding about secret ids with which OpenBao answers `invalid role or secret ID`.
pub(super) fn expired(host: &Host) -> Finding {
    let path = role_path(host);
    let message = format!(
        "each secret id of the role `{path}` has expired (`secret_id_ttl`): the host cannot log in"
    );
    let name = shell_word(&host.declared.hostname);
    Finding::new(Kind::Denied, "secret-id", &path, message).advice(format!(
        "issue one with `create-host --hostname {name} --force`, which sets `secret_id_ttl` to 0"
    ))
}

/// Returns the finding about address blocks: OpenBao refuses logins or tokens from other addresses.
pub(super) fn bound(host: &Host, parameter: &str, action: &str, blocks: &[&str]) -> Finding {
    let path = role_path(host);
    let from = blocks.join(", ");
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    let bounds =
        format!("the role `{path}` lets the host {action} from {from} only (`{parameter}`)");
    let (reason, message) = if addresses.is_empty() {
        let unknown = "the address of the host is unknown";
        ("bound", format!("{bounds}; {unknown}"))
    } else {
        let has = format!("its configuration gives it {}", addresses.join(", "));
        ("excluded", format!("{bounds}, and {has}"))
    };
    let finding = Finding::new(Kind::Note, reason, &path, message);
    if addresses.is_empty() {
        return finding;
    }
    let name = shell_word(&host.declared.hostname);
    finding.advice(format!(
        "unless OpenBao sees it by another address: `create-host --hostname {name} --ip ADDRESS --force`"
    ))
}

pub(super) fn invalid_policy(policy: &str, reason: &str) -> Finding {
    let message = format!(
        "the policy `{policy}` could not be checked for unused grants and templates: {reason}"
    );
    Finding::new(Kind::Note, "policy", &policy_path(policy), message)
        .details(policy_details(policy))
}

/// Returns the finding about policies that no token of the token role can have.
pub(super) fn policies_not_allowed(host: &Host, role: &TokenRole, policies: &[&str]) -> Finding {
    let message = format!(
        "the host's right to read its secrets could not be checked: it has the policies {}, which the token role `{TOKEN_ROLE}` does not allow",
        quoted_list(policies)
    );
    let globs = role.allowed_policies_glob.iter().map(String::as_str);
    let globs: Vec<_> = globs.chain(policies.iter().copied()).collect();
    let path = format!("auth/token/roles/{TOKEN_ROLE}");
    Finding::new(Kind::Note, "token-role", &path, message).advice(format!(
        "bao write{} {path} allowed_policies_glob={}",
        namespace_flag(host.namespace()),
        shell_word(&globs.join(","))
    ))
}

pub(super) fn no_right(host: &Host, path: &str, right: &'static str, policies: &[&str]) -> Finding {
    let shown = quoted_list(policies);
    let why = match policies {
        [] => "it has no policy".to_owned(),
        [_] => format!("its policy {shown} does not allow it"),
        _ => format!("its policies {shown} do not allow it"),
    };
    let message = format!("the host may not {right} `{path}`: {why}");
    Finding::new(Kind::Denied, right, path, message).advice(grant_advice(host, path, right))
}

/// Returns the way to a right: create-host gives a host its own secrets, those of `grants`, and the
/// policies of `policies`.
fn grant_advice(host: &Host, path: &str, right: &str) -> String {
    let name = &host.declared.hostname;
    let command = format!("`create-host --hostname {}`", shell_word(name));
    let secret = path.strip_prefix(&format!("{}/data/", host.kv_mount()));
    match secret {
        Some(secret) if !secret.starts_with(&format!("{}/", host.folder())) => format!(
            "add `grants = [\"{secret}\"]` under `[hosts.{}]` in `fleet.toml`, then run {command}",
            toml_key(name)
        ),
        None => format!(
            "write a policy with the right to {right} it, add the policy's name to `policies` under `[hosts.{}]` in `fleet.toml`, then run {command}",
            toml_key(name)
        ),
        Some(_) => format!("run {command}, and see whether another policy of its role denies it"),
    }
}

/// Returns a host's name as a key of TOML, where a dot separates keys.
fn toml_key(name: &str) -> String {
    if name.contains('.') {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

/// Returns the finding about a read that capabilities allow and OpenBao refuses without wrapping or
/// parameters.
pub(super) fn conditional(path: &str, policies: &[&str]) -> Finding {
    let message = format!(
        "the host may not read `{path}` plainly: a rule of its policies {} requires more (`min_wrapping_ttl`, `max_wrapping_ttl`, `required_parameters`)",
        quoted_list(policies)
    );
    Finding::new(Kind::Denied, "read", path, message)
        .advice("remove that from the rule, or give the host another one for this path")
}

pub(super) fn no_list(path: &str) -> Finding {
    let message = format!(
        "the host may not list `{path}`, with which rotation finds new versions in one request"
    );
    Finding::new(Kind::Note, "list", path, message)
        .advice("give a policy of its role `list` on this path")
}

/// Returns the finding about a path that a rule with a template may match.
pub(super) fn depends_on_template(path: &str, right: &str, rule: &Rule) -> Finding {
    let message = format!(
        "the host's right to {right} `{path}` could not be checked: the rule `{}` of one of its policies depends on the identity that logs in, and may match it",
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

fn policy_details(policy: &str) -> Details {
    Details {
        policy: Some(policy.to_owned()),
        ..Details::default()
    }
}
