//! Declarations of secrets, as the NixOS module writes them.

use std::path::Path;

use serde_json::{Value, json};

/// Returns a declared secret with default values but for `changes`. Its owner is the user that runs
/// the tests.
pub fn declared_secret(path: &str, changes: &Value) -> Value {
    let mut secret = json!({
        "secret_path": path,
        "output_directory": "/run/secrets/x",
        "cache_directory": null,
        "seal_cache": "auto",
        "max_cache_age": null,
        "owner": rustix::process::geteuid().as_raw().to_string(),
        "group": rustix::process::getegid().as_raw().to_string(),
        "mode": "0400",
        "required_keys": [],
        "templates": {},
        "environment_file": null,
        "services": [],
        "on_change": "restart",
        "rotation": null,
    });
    merge(&mut secret, changes);
    secret
}

/// Returns the declarations of a host with these secrets, whose OpenBao is at `address`.
pub fn declarations(hostname: &str, address: &str, approle: &Path, secrets: &Value) -> Value {
    json!({
        "hostname": hostname,
        "openbao": {
            "addresses": [address],
            "namespace": null,
            "kv_mount": "secret",
            "approle_mount": "approle",
            "ca_certificate": null,
            "skip_verify": false,
            "approle_directory": approle,
        },
        "secrets": secrets,
    })
}

/// Replaces fields of an object.
///
/// # Panics
/// If `changes` is no object.
pub fn merge(value: &mut Value, changes: &Value) {
    for (name, change) in changes.as_object().expect("changes are an object") {
        value[name] = change.clone();
    }
}
