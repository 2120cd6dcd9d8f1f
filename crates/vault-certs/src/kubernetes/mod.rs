//! `vault-certs kubernetes`: the CA certificates as a `ConfigMap` in each namespace.

mod kubectl;

use std::{fmt::Write, path::Path};

use zts_cli::{Failure, data};

use crate::{bundle::Bundle, cli::Kubernetes};
use kubectl::Kubectl;

/// The name of the `ConfigMap` in each namespace.
const CONFIG_MAP: &str = "vault-tls";
/// The key of the bundle in the `ConfigMap`.
const KEY: &str = "ca.crt";
/// The number of attempts in one run, because namespaces may change meanwhile.
const ATTEMPTS: usize = 3;

/// Runs `vault-certs kubernetes`: prints the manifests, or applies them.
///
/// # Errors
/// The file has no certificates, a namespace's name is invalid, or the cluster refuses.
pub(crate) fn run(arguments: &Kubernetes) -> Result<(), Failure> {
    let named = &arguments.namespace;
    if let Some(name) = named.iter().find(|name| !is_namespace_name(name)) {
        return Err(
            Failure::usage(format!("`{name}` is no name of a namespace"))
                .hint("small letters, digits and `-`, at most 63 (RFC 1123)"),
        );
    }
    let bundle = read_bundle(&arguments.ca)?.to_pem();
    if arguments.apply {
        let kubectl = Kubectl::new(arguments.kubeconfig.as_deref());
        let changed = apply(&kubectl, &bundle, named)?;
        data(if changed { "changed" } else { "unchanged" })
    } else {
        data(render_manifests(&bundle, named).trim_end())
    }
}

fn read_bundle(path: &Path) -> Result<Bundle, Failure> {
    Bundle::read(path)?.ok_or_else(|| Failure::failed(format!("there is no `{}`", path.display())))
}

/// Applies the missing manifests. Returns whether any was missing.
fn apply(kubectl: &Kubectl, bundle: &str, named: &[String]) -> Result<bool, Failure> {
    let mut changed = false;
    let mut last_failure = None;
    for _ in 0..ATTEMPTS {
        let outdated = outdated_namespaces(kubectl, bundle, named)?;
        if outdated.is_empty() {
            return Ok(changed);
        }
        changed = true;
        last_failure = kubectl.apply(&render_manifests(bundle, &outdated)).err();
    }
    // Another program may have changed the result of the last attempt.
    let outdated = outdated_namespaces(kubectl, bundle, named)?;
    if outdated.is_empty() {
        return Ok(changed);
    }
    let failure = last_failure.unwrap_or_else(|| {
        Failure::failed("another program changes it")
            .hint("`kubectl get --show-managed-fields` shows which one")
    });
    Err(failure.context(format_args!(
        "the ConfigMap `{CONFIG_MAP}` is not current in `{}`",
        outdated.join("`, `")
    )))
}

/// Returns the namespaces without the current bundle, of the named ones or of all.
fn outdated_namespaces(
    kubectl: &Kubectl,
    bundle: &str,
    named: &[String],
) -> Result<Vec<String>, Failure> {
    let mut namespaces = if named.is_empty() {
        kubectl.list_namespaces()?
    } else {
        named.to_vec()
    };
    let current = kubectl.current_values(CONFIG_MAP, KEY)?;
    namespaces.retain(|name| current.get(name).is_none_or(|text| text != bundle));
    Ok(namespaces)
}

/// Renders a manifest for each namespace.
fn render_manifests(bundle: &str, namespaces: &[String]) -> String {
    let mut text = String::new();
    for namespace in namespaces {
        // writing to a String cannot fail
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {CONFIG_MAP}\n  namespace: \"{namespace}\"\n  \
             labels:\n    app.kubernetes.io/managed-by: vault-certs\ndata:\n  {KEY}: |\n"
        );
        for line in bundle.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// Returns whether it is a valid name of a namespace, a DNS label (RFC 1123).
fn is_namespace_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
