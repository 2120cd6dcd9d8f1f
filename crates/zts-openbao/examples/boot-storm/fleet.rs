//! The hosts: their policies, roles, credentials and secrets.

use std::{error::Error, fmt::Write};

use secrecy::ExposeSecret;
use serde::de::IgnoredAny;
use serde_json::json;
use zts_openbao::{AppRoleCredentials, Authentication, Client, Method, Request, approle, kv, sys};

use crate::{
    job::{Hosts, Prepare, Role},
    thread_pool::run_for_each,
};

/// The mount of the secrets.
pub(crate) const MOUNT: &str = "secret";

/// The mount at which hosts log in.
pub(crate) const AUTH_MOUNT: &str = "approle";

/// Creates the hosts, as `create-host` does. Their ids are set by this program instead of OpenBao.
pub(crate) fn prepare(job: &Prepare) -> Result<(), Box<dyn Error>> {
    let created = run_for_each(job.hosts.numbers(), job.at_once, |number| {
        let mut client = job.site.client(0)?;
        client.authenticate(Authentication::Token(job.token.clone()));
        create_host(&client, job, number)
    })?;
    Ok(created.into_iter().collect::<Result<(), _>>()?)
}

/// Returns a host's name.
pub(crate) fn host_name(number: usize) -> String {
    format!("host{number:05}")
}

/// Returns the path of a host's secret below the mount.
pub(crate) fn secret_path(number: usize, secret: usize) -> String {
    format!("hosts/{}/s{secret}", host_name(number))
}

/// Returns the value of a secret's key `username`, which differs between all secrets.
pub(crate) fn username(number: usize, secret: usize) -> String {
    format!("{}-s{secret}", host_name(number))
}

/// Returns the credentials of a host.
pub(crate) fn credentials(hosts: &Hosts, number: usize, role: Role) -> AppRoleCredentials {
    let letter = match role {
        Role::Usual => 'u',
        Role::Lean => 'l',
    };
    // as long as OpenBao's own: 36 letters
    AppRoleCredentials {
        role_id: format!("role-{letter}{number:05}-{:0>24}", hosts.seed).into(),
        secret_id: format!("proof-{letter}{number:05}-{:0>23}", hosts.seed).into(),
    }
}

fn create_host(client: &Client, job: &Prepare, number: usize) -> Result<(), zts_openbao::Error> {
    let name = host_name(number);
    sys::write_policy(client, &format!("host-{name}"), &host_policy(&name))?;
    for role in &job.roles {
        create_role(
            client,
            &name,
            *role,
            &credentials(&job.hosts, number, *role),
        )?;
    }
    for secret in 0..job.hosts.secrets {
        let values = json!({
            "username": username(number, secret),
            "password": "p4ssw0rd-of-32-letters-as-usual-",
        });
        kv::write(client, MOUNT, &secret_path(number, secret), &values)?;
    }
    Ok(())
}

fn create_role(
    client: &Client,
    host: &str,
    role: Role,
    credentials: &AppRoleCredentials,
) -> Result<(), zts_openbao::Error> {
    let lean = matches!(role, Role::Lean);
    let name = if lean {
        format!("{host}-lean")
    } else {
        host.to_owned()
    };
    let settings = json!({
        "role_id": credentials.role_id.expose_secret(),
        "token_policies": [format!("host-{host}")],
        "token_no_default_policy": lean,
        "secret_id_ttl": 0,
        "secret_id_num_uses": 0,
        "token_ttl": 3600,
    });
    approle::write_role(client, AUTH_MOUNT, &name, &settings)?;
    let path = format!("auth/{AUTH_MOUNT}/role/{name}/custom-secret-id");
    let secret_id = json!({ "secret_id": credentials.secret_id.expose_secret() });
    let request = Request::new(Method::Post, &path).json(&secret_id)?;
    client.send::<IgnoredAny>(&request).map(|_| ())
}

/// Returns the policy of a host, as `create-host` writes it.
fn host_policy(name: &str) -> String {
    let read_and_list = r#"["read", "list"]"#;
    let rules = [
        (format!("{MOUNT}/data/hosts/{name}/*"), read_and_list),
        (format!("{MOUNT}/metadata/hosts/{name}/*"), read_and_list),
        (format!("{MOUNT}/metadata/hosts/{name}/"), r#"["list"]"#),
        (
            format!("{MOUNT}/detailed-metadata/hosts/{name}/*"),
            r#"["list"]"#,
        ),
    ];
    let mut text = String::new();
    for (path, capabilities) in rules {
        let _ = writeln!(text, "path \"{path}\" {{ capabilities = {capabilities} }}");
    }
    text
}
