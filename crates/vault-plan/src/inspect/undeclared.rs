//! Secrets in the host's own folder that no host declares.

use std::collections::BTreeSet;

use zts_openbao::{Client, Error, kv};

use super::capability_client::CapabilityClient;
use crate::{
    finding::{Finding, Kind},
    host::{Host, kv_command},
    missing_rights::MissingRights,
    server::retry_rate_limited,
};

/// Finds secrets in the host's folder that no host declares.
pub(super) fn find_undeclared(
    host: &Host,
    hosts: &[Host],
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<Vec<Finding>, Error> {
    let held = list_recursively(
        openbao.client(host)?,
        host.kv_mount(),
        host.folder(),
        missing_rights,
    )?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let same_mount = hosts.iter().filter(|other| host.shares_mount(other));
    let declared: BTreeSet<_> = same_mount
        .flat_map(Host::kv_secrets)
        .map(|(_, secret)| secret.secret_path.as_str())
        .collect();
    let undeclared = held.iter().filter(|path| !declared.contains(path.as_str()));
    Ok(undeclared
        .map(|path| undeclared_secret(host, path))
        .collect())
}

/// Lists the paths of all secrets below a folder.
fn list_recursively(
    client: &Client,
    mount: &str,
    folder: String,
    missing_rights: &mut MissingRights,
) -> Result<Vec<String>, Error> {
    let (mut secrets, mut folders) = (Vec::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        let answer = match retry_rate_limited(|| kv::list(client, mount, &folder)) {
            Err(Error::NotFound { .. }) => continue, // no such folder, or no such mount
            answer => missing_rights.record("list", answer)?,
        };
        for name in answer.unwrap_or_default() {
            match name.strip_suffix('/') {
                Some(name) => folders.push(format!("{folder}/{name}")),
                None => secrets.push(format!("{folder}/{name}")),
            }
        }
    }
    Ok(secrets)
}

fn undeclared_secret(host: &Host, path: &str) -> Finding {
    let message = format!("`{path}` is in OpenBao, and no host declares it");
    let delete = kv_command(host, "metadata delete", path, &[]);
    Finding::new(Kind::Undeclared, "undeclared", path, message).advice(format!(
        "declare it, or delete it with all its versions: {delete}"
    ))
}
