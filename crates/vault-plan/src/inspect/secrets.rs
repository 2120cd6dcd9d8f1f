//! Declared secrets that OpenBao lacks.

use zts_cli::shell_word;
use zts_delivery::DeclaredSecret;
use zts_openbao::{
    Client, Error,
    kv::{self, NoKeys},
    sys::Mount,
};

use super::{
    capability_client::CapabilityClient,
    credentials::{self, CredentialSecret},
    keys,
};
use crate::{
    finding::{Details, Finding, Kind},
    generate::is_generated,
    host::{Host, key_arguments, kv_command},
    missing_rights::MissingRights,
    server::{is_unmounted, retry_rate_limited},
};

/// Checks that the declared secrets exist and have the keys that the host needs.
pub(super) fn check_secrets(
    host: &Host,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<Vec<Finding>, Error> {
    if host.kv_secrets().next().is_none() {
        return Ok(Vec::new());
    }
    let mount = host.kv_mount();
    let engine = openbao
        .mounts(host, missing_rights)?
        .get(&format!("{mount}/"));
    if let Some(finding) = engine.and_then(|engine| not_version_2(mount, engine)) {
        return Ok(vec![finding]);
    }
    let client = openbao.client(host)?;
    let (mut findings, mut credentials) = (Vec::new(), Vec::new());
    for (name, secret) in host.kv_secrets() {
        let Some((_, selector)) = secret.reference(mount).kv() else {
            continue;
        };
        let answer = retry_rate_limited(|| kv::read(client, mount, selector));
        match missing_rights.record("read", answer) {
            Ok(Some(kv::SecretVersion {
                values: Ok(values), ..
            })) => {
                if secret.as_credential {
                    let files = keys::file_names(secret, &values);
                    credentials.push(CredentialSecret {
                        name,
                        secret,
                        files,
                    });
                }
                findings.extend(keys::check_keys(host, name, secret, values));
            }
            Ok(Some(kv::SecretVersion {
                values: Err(held),
                metadata,
                ..
            })) => findings.push(without_keys(host, name, secret, metadata.version, held)),
            Ok(None) => {}
            Err(Error::NotFound { api_error, .. }) if is_unmounted(&api_error) => {
                return Ok(vec![no_mount(mount)]);
            }
            Err(error) => {
                let error = explain_absence(client, mount, secret, error);
                findings.push(missing_secret(host, name, secret, error)?);
            }
        }
    }
    findings.extend(credentials::find_collisions(&credentials));
    Ok(findings)
}

/// Turns the absence of a pinned version into an error that names the newest one, where the secret
/// exists.
fn explain_absence(client: &Client, mount: &str, secret: &DeclaredSecret, error: Error) -> Error {
    let (path, Some(version), Error::NotFound { .. }) =
        (&secret.secret_path, secret.version, &error)
    else {
        return error;
    };
    match kv::metadata(client, mount, path) {
        Ok(metadata) => Error::NoSuchVersion {
            path: path.clone(),
            version,
            newest: metadata.current_version,
        },
        Err(_) => error,
    }
}

/// Returns the finding about a secret without a current version.
fn missing_secret(
    host: &Host,
    name: &str,
    secret: &DeclaredSecret,
    error: Error,
) -> Result<Finding, Error> {
    let path = &secret.secret_path;
    let finding = |reason, state: String, version, time| {
        Finding::new(Kind::Missing, reason, path, format!("`{path}` {state}"))
            .for_secret(name)
            .details(Details {
                version,
                time,
                ..Details::default()
            })
    };
    Ok(match error {
        Error::NotFound { api_error, .. } if api_error.messages.is_empty() => {
            finding("absent", "is not in OpenBao".to_owned(), None, None)
                .advice(creation(host, secret))
        }
        Error::NoSuchVersion {
            version, newest, ..
        } => {
            let state =
                format!("has no version {version}, which is pinned; the newest is {newest}");
            finding("no-version", state, Some(version), None).advice(keys::PIN_ANOTHER)
        }
        Error::Deleted {
            version,
            deletion_time,
            ..
        } => {
            let state = format!("was deleted: version {version}, at {deletion_time}");
            let versions = [format!("-versions={version}")];
            finding("deleted", state, Some(version), Some(deletion_time))
                .advice(kv_command(host, "undelete", path, &versions))
        }
        Error::Destroyed { version, .. } => {
            let state = format!("was destroyed: version {version}");
            finding("destroyed", state, Some(version), None).advice(replacement(host, secret))
        }
        error => return Err(error),
    })
}

/// Returns the finding about a version without keys, such as `null`.
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
        .for_secret(name)
        .details(Details {
            version: Some(version),
            ..Details::default()
        })
        .advice(replacement(host, secret))
}

/// Returns the command that makes a secret that does not exist.
fn creation(host: &Host, secret: &DeclaredSecret) -> String {
    if is_generated(secret) {
        format!("vault-plan --make-missing {}", shell_word(&host.name))
    } else {
        put_command(host, secret)
    }
}

/// Returns the advice about a version that cannot be used.
fn replacement(host: &Host, secret: &DeclaredSecret) -> String {
    match secret.version {
        Some(_) => keys::PIN_ANOTHER.to_owned(),
        None => put_command(host, secret),
    }
}

/// Returns the command that writes the keys that the host needs.
fn put_command(host: &Host, secret: &DeclaredSecret) -> String {
    let keys = keys::needed_keys(secret);
    let keys = key_arguments(keys.iter().map(String::as_str));
    kv_command(host, "put", &secret.secret_path, &keys)
}

fn no_mount(mount: &str) -> Finding {
    let message = format!("no secrets engine is mounted at `{mount}/`");
    Finding::new(Kind::Missing, "mount", mount, message).advice(format!(
        "bao secrets enable -path={} -version=2 kv",
        shell_word(mount)
    ))
}

/// Returns the finding about a mount that is not of KV version 2.
fn not_version_2(mount: &str, engine: &Mount) -> Option<Finding> {
    let options = engine.options.as_ref();
    let version = options.and_then(|options| options.get("version"));
    let finding = |message| Finding::new(Kind::Missing, "mount", mount, message);
    match (engine.kind.as_str(), version.map(String::as_str)) {
        ("kv", Some("2")) => None,
        ("kv", _) => {
            let message = format!("the secrets engine at `{mount}/` is KV version 1, not 2");
            Some(finding(message).advice(format!("bao kv enable-versioning {}", shell_word(mount))))
        }
        (other, _) => {
            let message = format!("the secrets engine at `{mount}/` is `{other}`, not `kv`");
            Some(finding(message).advice("name another with `vault.kvMount`"))
        }
    }
}
