//! The CA certificates in Kubernetes: a `ConfigMap` `vault-tls` in each namespace.

mod kubectl;
mod manifest;

use std::path::Path;

use ::cli::{Failure, data};

use crate::{bundle::Bundle, cli::Kubernetes};
use kubectl::Kubectl;

/// Its name in each namespace.
const NAME: &str = "vault-tls";
/// Its key.
const KEY: &str = "ca.crt";

/// How often what lacks is applied in one run: namespaces come and go while it is at work.
const ROUNDS: usize = 3;

/// Prints the manifests, or applies them.
///
/// # Errors
/// A file without certificates, a name that no namespace can have, a cluster that refuses.
pub(crate) fn run(arguments: &Kubernetes) -> Result<(), Failure> {
    let named = &arguments.namespace;
    if let Some(name) = named.iter().find(|name| !manifest::is_namespace(name)) {
        return Err(
            Failure::usage(format!("`{name}` is no name of a namespace"))
                .hint("small letters, digits and `-`, at most 63 (RFC 1123)"),
        );
    }
    let bundle = bundle(&arguments.ca)?.text();
    if arguments.apply {
        let kubectl = Kubectl::new(arguments.kubeconfig.as_deref());
        let changed = apply(&kubectl, &bundle, named)?;
        data(if changed { "changed" } else { "unchanged" })
    } else {
        data(manifest::all(&bundle, named).trim_end())
    }
}

fn bundle(path: &Path) -> Result<Bundle, Failure> {
    Bundle::read(path)?.ok_or_else(|| Failure::failed(format!("there is no `{}`", path.display())))
}

/// Whether there was anything to do.
fn apply(kubectl: &Kubectl, bundle: &str, named: &[String]) -> Result<bool, Failure> {
    let mut changed = false;
    let mut trouble = None;
    for _ in 0..ROUNDS {
        let lacking = lacking(kubectl, bundle, named)?;
        if lacking.is_empty() {
            return Ok(changed);
        }
        changed = true;
        trouble = kubectl.apply(&manifest::all(bundle, &lacking)).err();
    }
    // The last round is looked at, too: another may have changed what it made.
    let lacking = lacking(kubectl, bundle, named)?;
    if lacking.is_empty() {
        return Ok(changed);
    }
    let trouble = trouble.unwrap_or_else(|| {
        Failure::failed("somebody else changes it")
            .hint("`kubectl get --show-managed-fields` says who")
    });
    Err(trouble.context(format_args!(
        "the ConfigMap `{NAME}` is not what it should be in `{}`",
        lacking.join("`, `")
    )))
}

/// The namespaces without these certificates: of those that are named, or of all that are not about to go.
fn lacking(kubectl: &Kubectl, bundle: &str, named: &[String]) -> Result<Vec<String>, Failure> {
    let mut namespaces = if named.is_empty() {
        kubectl.namespaces()?
    } else {
        named.to_vec()
    };
    let held = kubectl.held()?;
    namespaces.retain(|name| held.get(name).is_none_or(|text| text != bundle));
    Ok(namespaces)
}
