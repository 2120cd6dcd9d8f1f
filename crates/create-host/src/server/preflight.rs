//! Checks before the first change. All of them only read.

use zts_cli::{Failure, warn};
use zts_openbao::{
    Error,
    sys::{self, Mount, VisibleMounts},
    token,
};

use super::{
    backend::{Apply, Backend},
    connection::Server,
    host_objects::{HostObjects, read_host, read_role},
};
use crate::host::HostName;

/// The task of a run in OpenBao.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Policy and role, then a wrapping token.
    Create,
    /// A wrapping token only: somebody else applies policy and role.
    IssueOnly,
    /// The destruction of credentials, role and policy.
    Remove,
}

/// The result of the checks.
#[derive(Debug)]
pub(crate) struct Preflight {
    pub(crate) existing: HostObjects,
    /// A warning about a check that was not possible.
    pub(crate) unchecked: Option<String>,
}

/// Checks that the server answers, that the token is valid and has the capabilities for `task`, and
/// that the mounts exist.
pub(crate) fn check_preconditions(
    backend: &Backend,
    name: &HostName,
    task: Task,
) -> Result<Preflight, Failure> {
    let server = &backend.server;
    token::lookup_self(&server.client).map_err(|error| token_failure(server, &error))?;
    zts_cli::warn_of_old_server(&server.client);
    let policy = format!("sys/policies/acl/host-{name}");
    let role = format!("auth/{}/role/{name}", server.approle_mount);
    check_capabilities(server, &needs_for_reading(backend, &policy, &role, task))?;
    let approle = check_approle_mount(server)?;
    if task != Task::Remove && !approle.has_lockout_disabled() {
        warn_of_lockout(server);
    }
    let existing = match task {
        Task::IssueOnly => HostObjects {
            policy: None,
            role: read_role(server, name)?,
        },
        Task::Create | Task::Remove => read_host(server, name)?,
    };
    let role_exists = existing.role.is_some();
    check_capabilities(
        server,
        &needs_for_writing(&policy, &role, task, role_exists),
    )?;
    let unchecked = match task {
        Task::Remove => None,
        Task::Create | Task::IssueOnly => check_kv_mount(server, &format!("hosts/{name}/any"))?,
    };
    Ok(Preflight {
        existing,
        unchecked,
    })
}

/// The capabilities that are needed on a path.
type Need = (String, &'static [&'static str]);

/// Returns the needs for reading, before anything is known of the host.
fn needs_for_reading(backend: &Backend, policy: &str, role: &str, task: Task) -> Vec<Need> {
    let mut paths = vec![role.to_owned()];
    if task != Task::IssueOnly {
        paths.push(policy.to_owned());
    }
    if let Apply::Tofu(_) = backend.apply {
        // the Vault provider reads the mount of the roles (its resource `vault_auth_backend`)
        let mount = &backend.server.approle_mount;
        paths.push(format!("sys/mounts/auth/{mount}"));
        paths.push(format!("sys/mounts/auth/{mount}/tune"));
    }
    let need = |path| (path, ["read"].as_slice());
    paths.into_iter().map(need).collect()
}

/// Returns the further needs of `task`.
fn needs_for_writing(policy: &str, role: &str, task: Task, role_exists: bool) -> Vec<Need> {
    let mut needs: Vec<(String, &[_])> = vec![
        (format!("{role}/secret-id/"), &["list"]),
        (format!("{role}/secret-id-accessor/lookup"), &["update"]),
        (format!("{role}/secret-id-accessor/destroy"), &["update"]),
    ];
    let (role, policy) = (role.to_owned(), policy.to_owned());
    if task == Task::Remove {
        needs.extend([(role, &["delete"] as &[_]), (policy, &["delete"])]);
        return needs;
    }
    needs.push((format!("{role}/role-id"), &["read"]));
    needs.push((format!("{role}/secret-id"), &["update"]));
    needs.push(("sys/wrapping/wrap".to_owned(), &["update"]));
    if task == Task::Create {
        let write_role: &[_] = if role_exists {
            &["update"]
        } else {
            &["create"]
        };
        needs.extend([(role, write_role), (policy, &["update"])]);
    }
    needs
}

fn check_capabilities(server: &Server, needs: &[Need]) -> Result<(), Failure> {
    let paths: Vec<&str> = needs.iter().map(|(path, _)| path.as_str()).collect();
    let capabilities = sys::capabilities_self(&server.client, &paths).map_err(|error| match error {
        Error::Denied { .. } => Failure::from(error).hint(
            "the token may not read its own capabilities: give it the policy `default`, or one with `update` on `sys/capabilities-self`",
        ),
        error => Failure::from(error),
    })?;
    let missing_of = |(path, needed): &Need| -> Option<(String, Vec<&'static str>)> {
        let actual: &[String] = capabilities.get(path).map_or(&[], Vec::as_slice);
        let has = |needed: &str| actual.iter().any(|name| name == needed || name == "root");
        let missing: Vec<&str> = needed.iter().copied().filter(|name| !has(name)).collect();
        (!missing.is_empty()).then(|| (path.clone(), missing))
    };
    let missing: Vec<_> = needs.iter().filter_map(missing_of).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(missing_capabilities(&missing))
}

fn missing_capabilities(missing: &[(String, Vec<&str>)]) -> Failure {
    let list = |capabilities: &[&str], quote: char| {
        let quoted: Vec<String> = capabilities
            .iter()
            .map(|name| format!("{quote}{name}{quote}"))
            .collect();
        quoted.join(", ")
    };
    let shown: Vec<String> = missing
        .iter()
        .map(|(path, names)| format!("{} on `{path}`", list(names, '`')))
        .collect();
    let rules: Vec<String> = missing
        .iter()
        .map(|(path, names)| {
            format!(
                "path \"{path}\" {{\n  capabilities = [{}]\n}}",
                list(names, '"')
            )
        })
        .collect();
    Failure::failed(format_args!(
        "the OpenBao token lacks capabilities: {}",
        shown.join(", ")
    ))
    .hint(format!(
        "use a token with a policy that has:\n\n{}",
        rules.join("\n")
    ))
}

fn token_failure(server: &Server, error: &Error) -> Failure {
    match error {
        Error::Denied { .. } => Failure::failed(format_args!(
            "OpenBao at `{}` refused the token: it is not valid, or does not even have the policy `default`",
            server.client.address()
        ))
        .hint("run `bao login`, or set `BAO_TOKEN`"),
        error => Failure::from(error),
    }
}

fn read_mounts(server: &Server) -> Result<VisibleMounts, Failure> {
    Ok(sys::visible_mounts(&server.client)?)
}

/// Warns that anybody who can reach OpenBao and knows a role id can lock the host out.
fn warn_of_lockout(server: &Server) {
    let (mount, flag) = (&server.approle_mount, server.namespace_flag());
    warn(format_args!(
        "at `auth/{mount}/`, five refused logins by anybody lock a host out for 15 minutes; \
         `bao auth tune{flag} -user-lockout-disable=true {mount}/` turns that off"
    ));
}

fn check_approle_mount(server: &Server) -> Result<Mount, Failure> {
    let path = &server.approle_mount;
    let flag = server.namespace_flag();
    let setting = "`approle_mount` under `[openbao]` in `fleet.toml`";
    let (problem, hint) = match read_mounts(server)?.auth.remove(&format!("{path}/")) {
        Some(mount) if mount.kind == "approle" => return Ok(mount),
        Some(other) => (
            format!(
                "`auth/{path}/` is the auth method `{}`, not AppRole",
                other.kind
            ),
            format!(
                "mount AppRole at another path, such as with `bao auth enable{flag} -path={path}-hosts approle`, and set \
                 that path with {setting}"
            ),
        ),
        None => (
            format!("AppRole is not mounted at `auth/{path}/`"),
            format!(
                "mount it with `bao auth enable{flag} -path={path} approle`, or set its path with {setting}"
            ),
        ),
    };
    let address = server.client.address();
    Err(Failure::failed(format_args!("{problem}, in OpenBao at `{address}`")).hint(hint))
}

/// Checks that a KV version 2 engine is mounted. A mount is visible only to a token with a
/// capability in it, which an operator need not have. So a mount that the token does not see is an
/// error only if the token would see it; otherwise a warning is returned.
fn check_kv_mount(server: &Server, secret: &str) -> Result<Option<String>, Failure> {
    let (path, flag) = (&server.kv_mount, server.namespace_flag());
    let fail = |problem: String, instruction: String| {
        let failure = Failure::failed(format_args!(
            "{problem}, in OpenBao at `{}`",
            server.client.address()
        ));
        Err(failure.hint(format!(
            "{instruction}, or set another path with `kv_mount` under `[openbao]` in `fleet.toml`"
        )))
    };
    let Some(mount) = read_mounts(server)?.secret.remove(&format!("{path}/")) else {
        if !has_capability(server, &format!("{path}/data/{secret}"))? {
            return Ok(Some(format!(
                "the KV secrets engine at `{path}/` was not checked: the token has no capability there"
            )));
        }
        return fail(
            format!("no secrets engine is mounted at `{path}/`"),
            format!("mount it with `bao secrets enable{flag} -path={path} -version=2 kv`"),
        );
    };
    match mount.kind.as_str() {
        "kv" if mount.is_kv_version_1() => fail(
            format!("the secrets engine at `{path}/` is KV version 1, not 2"),
            format!("make it version 2 with `bao kv enable-versioning{flag} {path}`"),
        ),
        "kv" => Ok(None),
        other => fail(
            format!("the secrets engine at `{path}/` is `{other}`, not `kv`"),
            "mount a KV version 2 engine at another path".to_owned(),
        ),
    }
}

/// Returns whether the token has any capability on a path.
fn has_capability(server: &Server, path: &str) -> Result<bool, Failure> {
    let capabilities = sys::capabilities_self(&server.client, &[path])?;
    let names = capabilities.get(path);
    Ok(names.is_some_and(|names| names.iter().any(|name| name != "deny")))
}
