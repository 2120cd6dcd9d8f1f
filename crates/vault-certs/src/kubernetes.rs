//! The CA certificates as manifests for Kubernetes.

use std::{fmt::Write, path::Path};

use cli::{Failure, data};

use crate::bundle::Bundle;

/// Prints a `ConfigMap` `vault-tls` for each namespace.
///
/// # Errors
/// A file without certificates, or a name that no namespace can have.
pub(crate) fn print(ca: &Path, namespaces: &[String]) -> Result<(), Failure> {
    if let Some(name) = namespaces.iter().find(|name| !is_namespace(name)) {
        return Err(
            Failure::usage(format!("`{name}` is no name of a namespace"))
                .hint("small letters, digits and `-`, at most 63 (RFC 1123)"),
        );
    }
    let Some(bundle) = Bundle::read(ca)? else {
        return Err(Failure::failed(format!("there is no `{}`", ca.display())));
    };
    data(manifests(&bundle, namespaces).trim_end())
}

fn manifests(bundle: &Bundle, namespaces: &[String]) -> String {
    let mut text = String::new();
    for namespace in namespaces {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: vault-tls\n  namespace: \"{namespace}\"\n  \
             labels:\n    app.kubernetes.io/managed-by: vault-certs\ndata:\n  ca.crt: |\n"
        );
        for line in bundle.text().lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn is_namespace(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
