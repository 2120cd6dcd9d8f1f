//! Helpers: declarations, and runs of the program.

use std::path::Path;

use serde_json::Value;
use zts_testkit::{Run, Server, merge};
pub(crate) use zts_testkit::{declared_secret as secret, shared_server};

/// Returns the declarations of a host, as the NixOS module writes them.
pub(crate) fn declarations(hostname: &str, secrets: &[(&str, Value)]) -> Value {
    let secrets = secrets.iter().cloned().collect();
    let approle = Path::new("/var/lib/vault/approle");
    zts_testkit::declarations(hostname, "https://192.0.2.1:8200", approle, &secrets)
}

/// Returns the declarations with other settings of OpenBao.
pub(crate) fn with_openbao(mut declarations: Value, changes: &Value) -> Value {
    merge(&mut declarations["openbao"], changes);
    declarations
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
