//! Writes the values to OpenBao, as first versions.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use zts_cli::{Failure, note, operator_token, quoted_list, shell_word};
use zts_openbao::{Authentication, Client, Error, kv};

use crate::{
    cli::Arguments,
    model::{HostPlan, NewSecret},
};

/// The outcome for one secret.
enum Outcome {
    Written,
    /// It exists with the same values.
    Present,
    /// It exists with other values, or with other keys.
    Different,
    /// It exists, and its newest version is deleted or destroyed.
    Deleted,
}

/// Writes each secret that does not exist. One that exists stays as it is.
///
/// # Errors
/// A failed request, and secrets that exist with other values.
pub(crate) fn write_secrets(plans: &[HostPlan], arguments: &Arguments) -> Result<(), Failure> {
    let settings = arguments.connection.settings(None)?;
    let token = operator_token(&arguments.connection, &settings)?;
    let mut client = Client::new(settings)?;
    client.authenticate(Authentication::Token(token));
    let client = client.active();
    let (mut different, mut deleted) = (Vec::new(), Vec::new());
    for plan in plans {
        for secret in &plan.secrets {
            let path = plan.secret_path(secret);
            match write(&client, &arguments.kv_mount, &path, secret)? {
                Outcome::Written => {
                    let files: Vec<_> =
                        secret.files.iter().map(|file| file.name.as_str()).collect();
                    note(format_args!("wrote `{path}`: {}", files.join(", ")));
                }
                Outcome::Present => note(format_args!("`{path}` has these values already")),
                Outcome::Different => different.push(path),
                Outcome::Deleted => deleted.push(path),
            }
        }
    }
    report_existing(&arguments.kv_mount, &different, &deleted)
}

/// Fails if there are secrets that exist and were not changed.
fn report_existing(mount: &str, different: &[String], deleted: &[String]) -> Result<(), Failure> {
    let mut parts = Vec::new();
    if !different.is_empty() {
        parts.push(format!(
            "with other keys or values: {}",
            quoted_list(different)
        ));
    }
    if !deleted.is_empty() {
        parts.push(format!(
            "with a deleted newest version: {}",
            quoted_list(deleted)
        ));
    }
    let Some(path) = different.first().or(deleted.first()) else {
        return Ok(());
    };
    Err(Failure::failed(format_args!(
        "not changed, because they exist in OpenBao {}",
        parts.join("; ")
    ))
    .hint(format!(
        "`bao kv metadata get -mount={} {}` shows the versions",
        shell_word(mount),
        shell_word(path)
    )))
}

fn write(client: &Client, mount: &str, path: &str, secret: &NewSecret) -> Result<Outcome, Failure> {
    let values = values(secret)?;
    let written = kv::create(client, mount, path, &values);
    let failed = |error: Error| Failure::from(error).context(format!("`{path}` was not written"));
    match written {
        Ok(()) => Ok(Outcome::Written),
        // `cas=0` is refused with status 400 where there is a version; without the right to
        // update, it is denied
        Err(error @ (Error::Refused { status: 400, .. } | Error::Denied { .. })) => {
            match kv::read(client, mount, path) {
                Ok(found) if has_values(&found, &values) => Ok(Outcome::Present),
                Ok(_) => Ok(Outcome::Different),
                Err(Error::Deleted { .. } | Error::Destroyed { .. }) => Ok(Outcome::Deleted),
                Err(_) => Err(failed(error)),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Returns the keys with their values.
fn values(secret: &NewSecret) -> Result<BTreeMap<&str, &str>, Failure> {
    let files = secret.files.iter();
    files
        .map(|file| {
            let value = file.value.as_ref();
            let value = value.ok_or_else(|| Failure::failed("a value was not decrypted"))?;
            Ok((file.name.as_str(), value.text.expose_secret()))
        })
        .collect()
}

fn has_values(found: &kv::SecretVersion, values: &BTreeMap<&str, &str>) -> bool {
    let Ok(found) = &found.values else {
        return false;
    };
    found.len() == values.len()
        && values.iter().all(|(key, value)| {
            found
                .get(*key)
                .is_some_and(|found| found.to_bytes().as_slice() == value.as_bytes())
        })
}
