//! Secrets that a service gets as systemd credentials under the same name.
//!
//! systemd names a file `<secret>_<file>`, so `x_y` of the secret `db` has the name of `y` of
//! `db_x`. It passes the first one to the service, without an error.

use std::collections::{BTreeMap, BTreeSet};

use zts_delivery::DeclaredSecret;

use crate::finding::{Details, Finding, Kind};

/// A secret that is passed to services as credentials.
pub(super) struct CredentialSecret<'a> {
    pub(super) name: &'a str,
    pub(super) secret: &'a DeclaredSecret,
    pub(super) files: BTreeSet<String>,
}

/// Finds credentials of one service that have the same name in two secrets.
pub(super) fn find_collisions(secrets: &[CredentialSecret<'_>]) -> Vec<Finding> {
    let services = secrets.iter().flat_map(|one| &one.secret.services);
    let services: BTreeSet<_> = services.collect();
    let mut findings = Vec::new();
    for service in services {
        let mut first = BTreeMap::new();
        for one in secrets {
            if !one.secret.services.contains(service) {
                continue;
            }
            for file in &one.files {
                let credential = format!("{}_{file}", one.name);
                let before = first
                    .entry(credential.clone())
                    .or_insert((one.name, file.as_str()));
                if before.0 != one.name {
                    findings.push(collision(service, &credential, *before, (one, file)));
                }
            }
        }
    }
    findings
}

fn collision(
    service: &str,
    credential: &str,
    (before, before_file): (&str, &str),
    (one, file): (&CredentialSecret<'_>, &str),
) -> Finding {
    let name = one.name;
    let message = format!(
        "`{file}` of `{name}` and `{before_file}` of `{before}` are one credential to `{service}`, `{credential}`: systemd passes only one of them"
    );
    Finding::new(Kind::Keys, "credential", &one.secret.secret_path, message)
        .for_secret(name)
        .details(Details {
            key: Some(file.to_owned()),
            ..Details::default()
        })
        .advice(format!(
            "rename `{name}` in the host's configuration, or one of the keys"
        ))
}
