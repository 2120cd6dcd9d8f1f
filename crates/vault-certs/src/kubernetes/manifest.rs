//! What stands in a manifest.

use std::fmt::Write;

use super::{KEY, NAME};

/// A manifest for each namespace.
pub(super) fn all(bundle: &str, namespaces: &[String]) -> String {
    let mut text = String::new();
    for namespace in namespaces {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {NAME}\n  namespace: \"{namespace}\"\n  \
             labels:\n    app.kubernetes.io/managed-by: vault-certs\ndata:\n  {KEY}: |\n"
        );
        for line in bundle.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// Whether a namespace can have that name (RFC 1123, a DNS label).
pub(super) fn is_namespace(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
