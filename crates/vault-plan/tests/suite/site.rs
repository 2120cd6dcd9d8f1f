//! Helpers: declarations, and runs of the program.

use serde_json::{Value, json};
pub(crate) use zts_testkit::shared_server;
use zts_testkit::{Run, RunOutput, Server};

/// Returns a declared secret with default values but for `changes`.
pub(crate) fn secret(path: &str, changes: &Value) -> Value {
    let mut secret = json!({
        "secret_path": path,
        "output_directory": "/run/secrets/x",
        "cache_directory": null,
        "seal_cache": "auto",
        "max_cache_age": null,
        "owner": "root",
        "group": "root",
        "mode": "0400",
        "required_keys": [],
        "templates": {},
        "environment_file": null,
        "services": [],
        "on_change": "nothing",
        "rotation": null,
    });
    merge(&mut secret, changes);
    secret
}

/// Returns the declarations of a host, as the NixOS module writes them.
pub(crate) fn declarations(hostname: &str, secrets: &[(&str, Value)]) -> Value {
    let secrets: serde_json::Map<_, _> = secrets
        .iter()
        .map(|(name, secret)| ((*name).to_owned(), secret.clone()))
        .collect();
    json!({
        "hostname": hostname,
        "openbao": {
            "addresses": ["https://192.0.2.1:8200"],
            "namespace": null,
            "kv_mount": "secret",
            "approle_mount": "approle",
            "ca_certificate": null,
            "skip_verify": false,
            "approle_directory": "/var/lib/vault/approle",
        },
        "secrets": secrets,
    })
}

/// Returns the declarations with other settings of OpenBao.
pub(crate) fn with_openbao(mut declarations: Value, changes: &Value) -> Value {
    merge(&mut declarations["openbao"], changes);
    declarations
}

fn merge(value: &mut Value, changes: &Value) {
    for (name, change) in changes.as_object().unwrap() {
        value[name] = change.clone();
    }
}

/// Prepares a run of `vault-plan` with these declarations on stdin and the root token.
pub(crate) fn plan(server: &Server, declarations: &Value) -> Run {
    plan_without_server(declarations)
        .server(server)
        .env("BAO_TOKEN", server.root_token())
}

/// Prepares a run without a server.
pub(crate) fn plan_without_server(declarations: &Value) -> Run {
    Run::new(env!("CARGO_BIN_EXE_vault-plan"))
        .args(["--declarations", "-"])
        .stdin(declarations.to_string())
}

/// Runs the program, which must end with this exit status.
#[track_caller]
pub(crate) fn assert_status(run: Run, status: i32) -> RunOutput {
    let output = run.run();
    assert_eq!(output.code(), Some(status), "{output}");
    output
}

/// Returns the findings about the first host from the run's JSON.
#[track_caller]
pub(crate) fn findings(run: Run) -> Vec<Value> {
    let output = run.args(["--json"]).run();
    let all: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}"));
    all["hosts"][0]["findings"].as_array().unwrap().clone()
}

/// Returns `kind reason path` of each finding about the first host.
#[track_caller]
pub(crate) fn finding_lines(run: Run) -> Vec<String> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or("-").to_owned();
    findings(run)
        .iter()
        .map(|finding| {
            let [kind, reason, path] = ["kind", "reason", "path"].map(|name| text(finding, name));
            format!("{kind} {reason} {path}")
        })
        .collect()
}
