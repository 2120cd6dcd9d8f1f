//! Secrets in the host's own folder that no host declares.

use std::collections::BTreeSet;

use openbao::{Client, Error, kv};

use super::asker::Asker;
use crate::{
    advice,
    denied::Denied,
    finding::{Finding, Kind},
    host::Host,
    server::patiently,
};

pub(super) fn findings(
    host: &Host,
    hosts: &[Host],
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Vec<Finding>, Error> {
    let held = below(asker.client(host)?, host.kv_mount(), host.folder(), denied)?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let neighbours = hosts.iter().filter(|other| host.shares_mount(other));
    let declared: BTreeSet<_> = neighbours
        .flat_map(Host::secrets)
        .map(|(_, secret)| secret.secret_path.as_str())
        .collect();
    let undeclared = held.iter().filter(|path| !declared.contains(path.as_str()));
    Ok(undeclared.map(|path| finding(host, path)).collect())
}

/// The paths of all secrets below a folder.
fn below(
    client: &Client,
    mount: &str,
    folder: String,
    denied: &mut Denied,
) -> Result<Vec<String>, Error> {
    let (mut secrets, mut folders) = (Vec::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        let answer = match patiently(|| kv::list(client, mount, &folder)) {
            Err(Error::NotFound { .. }) => continue, // no such folder, or no such mount
            answer => denied.note("list", answer)?,
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

fn finding(host: &Host, path: &str) -> Finding {
    let message = format!("`{path}` is in OpenBao, and no host declares it");
    let delete = advice::kv(host, "metadata delete", path, &[]);
    Finding::new(Kind::Undeclared, "undeclared", path, message).advice(format!(
        "declare it, or delete it with all its versions: {delete}"
    ))
}
