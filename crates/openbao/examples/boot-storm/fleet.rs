//! The hosts: what they may read, who they are, and what is theirs.

use std::{error::Error, fmt::Write};

use openbao::{AppRoleCredentials, Authentication, Client, Method, Request, approle, kv, sys};
use secrecy::ExposeSecret;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::{
    crew,
    job::{Hosts, Prepare, Role},
};

/// Where the secrets are.
pub(crate) const MOUNT: &str = "secret";

/// Where hosts log in.
pub(crate) const LOGIN: &str = "approle";

/// Makes the hosts, as `create-host` does; their ids are set by this program, not asked for.
pub(crate) fn prepare(job: &Prepare) -> Result<(), Box<dyn Error>> {
    let made = crew::each(job.hosts.numbers(), job.at_once, |number| {
        let mut client = job.site.client(0)?;
        client.authenticate(Authentication::Token(job.token.clone()));
        make(&client, job, number)
    })?;
    Ok(made.into_iter().collect::<Result<(), _>>()?)
}

/// A host's name.
pub(crate) fn name(number: usize) -> String {
    format!("host{number:05}")
}

/// Where a host's secret is below the mount.
pub(crate) fn path(number: usize, secret: usize) -> String {
    format!("hosts/{}/s{secret}", name(number))
}

/// The value of a secret's key `username`, which tells it from all others.
pub(crate) fn username(number: usize, secret: usize) -> String {
    format!("{}-s{secret}", name(number))
}

/// Who a host is.
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

fn make(client: &Client, job: &Prepare, number: usize) -> Result<(), openbao::Error> {
    let name = name(number);
    sys::write_policy(client, &format!("host-{name}"), &policy(&name))?;
    for role in &job.roles {
        make_role(
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
        kv::write(client, MOUNT, &path(number, secret), &values)?;
    }
    Ok(())
}

fn make_role(
    client: &Client,
    host: &str,
    role: Role,
    credentials: &AppRoleCredentials,
) -> Result<(), openbao::Error> {
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
    approle::write_role(client, LOGIN, &name, &settings)?;
    let path = format!("auth/{LOGIN}/role/{name}/custom-secret-id");
    let secret_id = json!({ "secret_id": credentials.secret_id.expose_secret() });
    let request = Request::new(Method::Post, &path).json(&secret_id)?;
    client.send::<IgnoredAny>(&request).map(|_| ())
}

/// What `create-host` lets a host do.
fn policy(name: &str) -> String {
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
