//! The hosts: what they may read, who they are, and what is theirs.

use std::{error::Error, fmt::Write};

use openbao::{AppRoleCredentials, Authentication, Client, Method, Request, approle, kv, sys};
use secrecy::ExposeSecret;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::{
    crew,
    job::{Hosts, Prepare},
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
        make(&client, &job.hosts, number)
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
pub(crate) fn credentials(hosts: &Hosts, number: usize) -> AppRoleCredentials {
    // as long as OpenBao's own: 36 letters
    AppRoleCredentials {
        role_id: format!("role-{number:06}-{:0>24}", hosts.seed).into(),
        secret_id: format!("proof-{number:06}-{:0>23}", hosts.seed).into(),
    }
}

fn make(client: &Client, hosts: &Hosts, number: usize) -> Result<(), openbao::Error> {
    let name = name(number);
    let credentials = credentials(hosts, number);
    sys::write_policy(client, &format!("host-{name}"), &policy(&name))?;
    let role = json!({
        "role_id": credentials.role_id.expose_secret(),
        "token_policies": [format!("host-{name}")],
        "secret_id_ttl": 0,
        "secret_id_num_uses": 0,
        "token_ttl": 3600,
    });
    approle::write_role(client, LOGIN, &name, &role)?;
    let path = format!("auth/{LOGIN}/role/{name}/custom-secret-id");
    let secret_id = json!({ "secret_id": credentials.secret_id.expose_secret() });
    client.send::<IgnoredAny>(&Request::new(Method::Post, &path).json(&secret_id)?)?;
    for secret in 0..hosts.secrets {
        let values = json!({
            "username": username(number, secret),
            "password": "p4ssw0rd-of-32-letters-as-usual-",
        });
        kv::write(client, MOUNT, &self::path(number, secret), &values)?;
    }
    Ok(())
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
