//! What can be checked before anything is changed. All of it only reads.

use std::collections::BTreeMap;

use cli::{Failure, warn};
use openbao::{
    Error,
    sys::{self, Mount, VisibleMounts},
    token,
};

use super::{Server, api};
use crate::host::HostName;

/// What the run is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Policy and role through the API or OpenTofu, then a token.
    Create,
    /// A token only: somebody else applies policy and role.
    IssueOnly,
    /// Credentials, role and policy go.
    Remove,
}

/// What OpenBao holds of a host.
#[derive(Debug)]
pub(crate) struct Held {
    /// The text of its policy.
    pub(crate) policy: Option<String>,
    /// The parameters of its role.
    pub(crate) role: Option<BTreeMap<String, serde_json::Value>>,
    /// What could not be checked.
    pub(crate) doubt: Option<String>,
}

/// Checks that the server answers, the token is valid, may do what `task` needs, and the mounts are there.
pub(crate) fn check(
    server: &Server,
    name: &HostName,
    task: Task,
    through_tofu: bool,
) -> Result<Held, Failure> {
    token::lookup_self(&server.client).map_err(|error| refused_token(server, &error))?;
    cli::warn_of_old_server(&server.client);
    let reading = ["read"].as_slice();
    let policy = format!("sys/policies/acl/host-{name}");
    let role = format!("auth/{}/role/{name}", server.approle);
    let mut needs = vec![(role.clone(), reading)];
    if task != Task::IssueOnly {
        needs.push((policy.clone(), reading));
    }
    if through_tofu {
        // the Vault provider looks at the mount that the roles are in (its resource `vault_auth_backend`)
        let mount = format!("sys/mounts/auth/{}", server.approle);
        needs.push((mount.clone(), reading));
        needs.push((format!("{mount}/tune"), reading));
    }
    check_rights(server, name, &needs)?;
    let approle = check_approle(server)?;
    if task != Task::Remove && !approle.locks_nobody_out() {
        warn_of_lockout(&server.approle);
    }
    let mut held = if task == Task::IssueOnly {
        Held {
            policy: None,
            ..api::read_role_only(server, name)?
        }
    } else {
        api::read(server, name)?
    };
    check_rights(
        server,
        name,
        &writing(server, name, task, held.role.is_some()),
    )?;
    if task != Task::Remove {
        held.doubt = check_kv(server, name)?;
    }
    Ok(held)
}

type Need = (String, &'static [&'static str]);

/// The rights that `task` needs beside reading policy and role.
fn writing(server: &Server, name: &HostName, task: Task, role_exists: bool) -> Vec<Need> {
    let policy = format!("sys/policies/acl/host-{name}");
    let role = format!("auth/{}/role/{name}", server.approle);
    let mut needs: Vec<Need> = vec![
        (format!("{role}/secret-id/"), &["list"]),
        (format!("{role}/secret-id-accessor/lookup"), &["update"]),
        (format!("{role}/secret-id-accessor/destroy"), &["update"]),
    ];
    if task == Task::Remove {
        needs.push((role, &["delete"]));
        needs.push((policy, &["delete"]));
        return needs;
    }
    needs.push((format!("{role}/role-id"), &["read"]));
    needs.push((format!("{role}/secret-id"), &["update"]));
    needs.push(("sys/wrapping/wrap".to_owned(), &["update"]));
    if task == Task::Create {
        needs.push((
            role,
            if role_exists {
                &["update"]
            } else {
                &["create"]
            },
        ));
        needs.push((policy, &["update"]));
    }
    needs
}

fn check_rights(server: &Server, name: &HostName, needs: &[Need]) -> Result<(), Failure> {
    let paths: Vec<&str> = needs.iter().map(|(path, _)| path.as_str()).collect();
    let held = sys::capabilities_self(&server.client, &paths).map_err(|error| match error {
        Error::Denied { .. } => Failure::from(error).hint(
            "the token may not ask what it may do: give it the policy `default`, or one with `update` on `sys/capabilities-self`",
        ),
        error => Failure::from(error),
    })?;
    let lacks = |(path, wanted): &Need| -> Option<(String, Vec<&'static str>)> {
        let has: &[String] = held.get(path).map_or(&[], Vec::as_slice);
        let has = |right: &str| has.iter().any(|there| there == right || there == "root");
        let missing: Vec<&str> = wanted.iter().copied().filter(|right| !has(right)).collect();
        (!missing.is_empty()).then(|| (path.clone(), missing))
    };
    let missing: Vec<_> = needs.iter().filter_map(lacks).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(lacking(name, &missing))
}

fn lacking(name: &HostName, missing: &[(String, Vec<&str>)]) -> Failure {
    let list = |rights: &[&str], quote: char| {
        let quoted: Vec<String> = rights
            .iter()
            .map(|right| format!("{quote}{right}{quote}"))
            .collect();
        quoted.join(", ")
    };
    let told: Vec<String> = missing
        .iter()
        .map(|(path, rights)| format!("{} on `{path}`", list(rights, '`')))
        .collect();
    let rules: Vec<String> = missing
        .iter()
        .map(|(path, rights)| {
            format!(
                "path \"{path}\" {{\n  capabilities = [{}]\n}}",
                list(rights, '"')
            )
        })
        .collect();
    Failure::failed(format_args!(
        "the OpenBao token has not all the rights that `{name}` needs; it lacks {}",
        told.join(", ")
    ))
    .hint(format!(
        "work with a token that has a policy with:\n\n{}",
        rules.join("\n")
    ))
}

fn refused_token(server: &Server, error: &Error) -> Failure {
    match error {
        Error::Denied { .. } => Failure::failed(format_args!(
            "OpenBao at `{}` refused the token: it is not valid, or has not even the policy `default`",
            server.client.address()
        ))
        .hint("run `bao login`, or set `BAO_TOKEN`"),
        error => Failure::from(error),
    }
}

fn mounts(server: &Server) -> Result<VisibleMounts, Failure> {
    Ok(sys::visible_mounts(&server.client)?)
}

/// Anybody who reaches OpenBao and knows a role id can lock that host out.
fn warn_of_lockout(mount: &str) {
    warn(format_args!(
        "at `auth/{mount}/`, five refused logins lock a host out for 15 minutes, whoever tries them; \
         `bao auth tune -user-lockout-disable=true {mount}/` turns that off"
    ));
}

fn check_approle(server: &Server) -> Result<Mount, Failure> {
    let mount = &server.approle;
    let found = mounts(server)?.auth.remove(&format!("{mount}/"));
    let what = match found {
        Some(found) if found.kind == "approle" => return Ok(found),
        Some(other) => format!(
            "`auth/{mount}/` is the auth method `{}`, not AppRole",
            other.kind
        ),
        None => format!("AppRole is not mounted at `auth/{mount}/`"),
    };
    Err(Failure::failed(format_args!("{what}, in OpenBao at `{}`", server.client.address())).hint(format!(
        "mount it with `bao auth enable -path={mount} approle`, or name its path with `approle_mount` under `[openbao]` in `fleet.toml`"
    )))
}

/// A mount shows to those who have a right in it. Who makes hosts need not have one on their secrets, so an
/// invisible mount is an error only for a token that would see it.
fn check_kv(server: &Server, name: &HostName) -> Result<Option<String>, Failure> {
    let mount = &server.kv;
    let fail = |what: String, hint: String| {
        let failure = Failure::failed(format_args!(
            "{what}, in OpenBao at `{}`",
            server.client.address()
        ));
        Err(failure.hint(format!(
            "{hint}, or name another with `kv_mount` under `[openbao]` in `fleet.toml`"
        )))
    };
    let Some(found) = mounts(server)?.secret.remove(&format!("{mount}/")) else {
        let path = format!("{mount}/data/hosts/{name}/any");
        let rights = sys::capabilities_self(&server.client, &[&path])?;
        let blind = rights
            .get(&path)
            .is_none_or(|rights| rights.iter().all(|right| right == "deny"));
        if blind {
            return Ok(Some(format!(
                "whether a KV secrets engine is mounted at `{mount}/` cannot be told: the token has no right there"
            )));
        }
        return fail(
            format!("no secrets engine is mounted at `{mount}/`"),
            format!("mount it with `bao secrets enable -path={mount} -version=2 kv`"),
        );
    };
    let version = found
        .options
        .as_ref()
        .and_then(|options| options.get("version"))
        .map(String::as_str);
    match (found.kind.as_str(), version) {
        ("kv", Some("2")) => Ok(None),
        ("kv", _) => fail(
            format!("the secrets engine at `{mount}/` is KV version 1, not 2"),
            format!("make it version 2 with `bao kv enable-versioning {mount}`"),
        ),
        (other, _) => fail(
            format!("the secrets engine at `{mount}/` is `{other}`, not `kv`"),
            "mount a KV version 2 engine at another path".to_owned(),
        ),
    }
}
