//! Whether the declared secrets are there.

use delivery::DeclaredSecret;
use openbao::{
    Error,
    kv::{self, NoKeys},
    sys::Mount,
};

use super::{asker::Asker, keys};
use crate::{
    advice,
    denied::Denied,
    finding::{Details, Finding, Kind},
    host::Host,
    server::{patiently, says_unmounted},
};

pub(super) fn findings(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Vec<Finding>, Error> {
    if host.declared.secrets.is_empty() {
        return Ok(Vec::new());
    }
    let mount = host.kv_mount();
    let seen = asker.mounts(host, denied)?.get(&format!("{mount}/"));
    if let Some(finding) = seen.and_then(|seen| not_version_2(mount, seen)) {
        return Ok(vec![finding]);
    }
    let client = asker.client(host)?;
    let mut findings = Vec::new();
    for (name, secret) in host.secrets() {
        let path = &secret.secret_path;
        let answer = patiently(|| kv::read(client, mount, path));
        match denied.note("read", answer) {
            Ok(Some(found)) => match found.values {
                Ok(values) => findings.extend(keys::findings(host, name, secret, values)),
                Err(held) => {
                    findings.push(without_keys(
                        host,
                        name,
                        secret,
                        found.metadata.version,
                        held,
                    ));
                }
            },
            Ok(None) => {}
            Err(Error::NotFound { refusal, .. }) if says_unmounted(&refusal) => {
                return Ok(vec![no_mount(mount)]);
            }
            Err(error) => findings.push(gone(host, name, secret, error)?),
        }
    }
    Ok(findings)
}

fn gone(host: &Host, name: &str, secret: &DeclaredSecret, error: Error) -> Result<Finding, Error> {
    let path = &secret.secret_path;
    let finding = |reason, what: String, version, time| {
        Finding::new(Kind::Missing, reason, path, format!("`{path}` {what}"))
            .of(name)
            .details(Details {
                version,
                time,
                ..Details::default()
            })
    };
    Ok(match error {
        Error::NotFound { refusal, .. } if refusal.messages.is_empty() => {
            finding("absent", "is not in OpenBao".to_owned(), None, None).advice(put(host, secret))
        }
        Error::Deleted {
            version,
            deletion_time,
            ..
        } => {
            let what = format!("was deleted: version {version}, at {deletion_time}");
            let versions = [format!("-versions={version}")];
            finding("deleted", what, Some(version), Some(deletion_time))
                .advice(advice::kv(host, "undelete", path, &versions))
        }
        Error::Destroyed { version, .. } => {
            let what = format!("was destroyed: version {version}");
            finding("destroyed", what, Some(version), None).advice(put(host, secret))
        }
        error => return Err(error),
    })
}

/// A version that holds something else than keys, such as `null`.
fn without_keys(
    host: &Host,
    name: &str,
    secret: &DeclaredSecret,
    version: u64,
    held: NoKeys,
) -> Finding {
    let path = &secret.secret_path;
    let message = format!("`{path}` has no keys: version {version} of it is {held}");
    Finding::new(Kind::Missing, "no-keys", path, message)
        .of(name)
        .details(Details {
            version: Some(version),
            ..Details::default()
        })
        .advice(put(host, secret))
}

/// The command that writes the keys that the host needs.
fn put(host: &Host, secret: &DeclaredSecret) -> String {
    let keys = keys::needed(secret);
    let keys = advice::values(keys.iter().map(String::as_str));
    advice::kv(host, "put", &secret.secret_path, &keys)
}

fn no_mount(mount: &str) -> Finding {
    let message = format!("no secrets engine is mounted at `{mount}/`");
    Finding::new(Kind::Missing, "mount", mount, message)
        .advice(format!("bao secrets enable -path={mount} -version=2 kv"))
}

/// What is wrong with a mount that is there.
fn not_version_2(mount: &str, seen: &Mount) -> Option<Finding> {
    let options = seen.options.as_ref();
    let version = options.and_then(|options| options.get("version"));
    let finding = |message| Finding::new(Kind::Missing, "mount", mount, message);
    match (seen.kind.as_str(), version.map(String::as_str)) {
        ("kv", Some("2")) => None,
        ("kv", _) => {
            let message = format!("the secrets engine at `{mount}/` is KV version 1, not 2");
            Some(finding(message).advice(format!("bao kv enable-versioning {mount}")))
        }
        (other, _) => {
            let message = format!("the secrets engine at `{mount}/` is `{other}`, not `kv`");
            Some(finding(message).advice("name another with `vault.kvMount`"))
        }
    }
}
