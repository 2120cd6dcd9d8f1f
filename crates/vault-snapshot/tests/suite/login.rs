//! Logins: snapshots need the right to read one path.

use std::fs;

use serde_json::json;
use zts_testkit::{Kubernetes, Run, RunOutput, Server, scratch_dir, wait_for};

use crate::site::{self, Site, description, vault_snapshot};

/// The policy in the documentation.
const POLICY: &str = r#"path "sys/storage/raft/snapshot" { capabilities = ["read"] }"#;
const CANARY: &str =
    r#"path "secret/data/vault-snapshot/canary" { capabilities = ["create", "update"] }"#;

/// Creates the role, and returns the folder with its credentials.
fn approle(server: &Server, policy: &str) -> zts_testkit::ScratchDir {
    server.write("sys/auth/approle", &json!({ "type": "approle" }));
    let folder = scratch_dir();
    site::approle(server, "snapshot", policy, &folder);
    folder
}

fn save(site: &Site) -> Run {
    vault_snapshot(&["save", "--dir", &site.dir(), "--retry-timeout", "1s"])
        .env("BAO_ADDR", site.server.address())
}

#[test]
fn an_approle_with_only_the_right_to_read_snapshots() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let credentials = approle(&site.server, POLICY);
    let run = || {
        save(&site)
            .args(["--auth", "approle", "--approle-dir"])
            .arg(&*credentials)
    };
    run().succeed();
    // Without the right to write the canary, the snapshot is saved nevertheless.
    let output = run()
        .args(["--canary", "secret/vault-snapshot/canary"])
        .succeed();
    output.assert_reports("`create` and `update` on `secret/data/vault-snapshot/canary`");
    site.server
        .write_policy("snapshot", &format!("{POLICY}\n{CANARY}"));
    let output = run()
        .args(["--canary", "secret/vault-snapshot/canary"])
        .succeed();
    let written = site
        .server
        .read("secret/data/vault-snapshot/canary")
        .unwrap();
    let about = description(&site.path(output.stdout.trim()));
    assert_eq!(about["canary"]["path"], "vault-snapshot/canary");
    assert_eq!(about["taken_at"], written["data"]["written_at"]);
    let value = written["data"]["value"].as_str().unwrap();
    assert!(
        !about.to_string().contains(value),
        "only its digest is in the description"
    );
    // Without the right to read snapshots, none is saved.
    site.server.write_policy("snapshot", CANARY);
    let output = run().fail(1, "`read` on `sys/storage/raft/snapshot`");
    output.assert_lacks("trying again");
}

#[test]
fn missing_and_refused_credentials_are_reported() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let credentials = approle(&site.server, POLICY);
    let run = || {
        save(&site)
            .args(["--auth", "approle", "--approle-dir"])
            .arg(&*credentials)
    };
    fs::write(credentials.join("secret-id"), "not-one").unwrap();
    let output = run().fail(1, "refused the login at `auth/approle/login`");
    output.assert_lacks("not-one");
    fs::remove_file(credentials.join("secret-id")).unwrap();
    run().run().assert_status(2);
}

/// Logs in with a JWT of a workload identity.
#[test]
fn a_workloads_token() {
    zts_testkit::require_bao!();
    let site = Site::new();
    zts_testkit::require_program!("openssl");
    let (key, jwt) = signed_jwt();
    let server = &site.server;
    server.write_policy("snapshot", POLICY);
    server.write("sys/auth/jwt", &json!({ "type": "jwt" }));
    server.write(
        "auth/jwt/config",
        &json!({ "jwt_validation_pubkeys": [key] }),
    );
    server.write(
        "auth/jwt/role/snapshot",
        &json!({ "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["openbao"], "token_policies": ["snapshot"], "token_ttl": "10m" }),
    );
    let folder = scratch_dir();
    let file = folder.join("token");
    fs::write(&file, format!("{jwt}\n")).unwrap();
    let run = || save(&site).args(["--auth", "jwt", "--jwt-file"]).arg(&file);
    run().args(["--role", "snapshot"]).succeed();
    let left = server.list("auth/token/accessors");
    assert_eq!(left.len(), 1, "only the root token is left: {left:?}");
    let output = run().args(["--role", "nobody"]).run().assert_status(1);
    output.assert_lacks(&jwt);
    run().run().assert_status(2);
    run()
        .args(["--role", "snapshot", "--auth-mount", "other"])
        .fail(1, "auth/other/login");
}

/// Logs in with a pod's service account, whose token OpenBao reviews at the API server.
#[test]
fn a_service_account() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let site = Site::new();
    let kubernetes = Kubernetes::start();
    kubernetes.add_namespace("backups");
    for account in ["snapshot", "other"] {
        kubernetes.add_service_account("backups", account);
    }
    let server = &site.server;
    server.write_policy("snapshot", POLICY);
    configure_kubernetes_auth(server, &kubernetes);
    server.write(
        "auth/kubernetes/role/snapshot",
        &json!({
            "bound_service_account_names": ["snapshot"], "bound_service_account_namespaces": ["backups"],
            "audience": "openbao", "token_policies": ["snapshot"], "token_type": "batch", "token_ttl": "10m",
        }),
    );
    let folder = scratch_dir();
    let file = folder.join("token");
    let token = |account| kubernetes.create_token("backups", account, Some("openbao"));
    let run = |token: &str| {
        fs::write(&file, token).unwrap();
        let run = save(&site).args(["--auth", "kubernetes", "--role", "snapshot", "--jwt-file"]);
        run.arg(&file).run()
    };
    let good = token("snapshot");
    let output = run(&good).assert_success();
    assert!(site.path(output.stdout.trim()).exists(), "{output}");

    let other = token("other");
    let for_the_api_server = kubernetes.create_token("backups", "snapshot", None);
    for refused in [&other, &for_the_api_server] {
        let output = run(refused);
        assert_refused(&output, refused);
    }
    kubernetes.run_kubectl([
        "delete",
        "serviceaccount",
        "--namespace",
        "backups",
        "snapshot",
    ]);
    // The API server caches a valid token for ten seconds.
    let output = wait_for("the deleted account is refused", || {
        let output = run(&good);
        (output.code() != Some(0)).then_some(output)
    });
    assert_refused(&output, &good);
}

/// Said once, by its name, and without the token.
#[track_caller]
fn assert_refused(output: &RunOutput, token: &str) {
    assert_eq!(output.code(), Some(1), "{output}");
    output.assert_reports("OpenBao refused the login at `auth/kubernetes/login`");
    output.assert_lacks("trying again");
    output.assert_lacks(token);
}

/// Lets OpenBao review tokens at this API server.
fn configure_kubernetes_auth(server: &Server, kubernetes: &Kubernetes) {
    kubernetes.add_service_account("backups", "reviewer");
    kubernetes.run_kubectl([
        "create",
        "clusterrolebinding",
        "reviewer",
        "--clusterrole=system:auth-delegator",
        "--serviceaccount=backups:reviewer",
    ]);
    server.write("sys/auth/kubernetes", &json!({ "type": "kubernetes" }));
    server.write(
        "auth/kubernetes/config",
        &json!({
            "kubernetes_host": kubernetes.address(),
            "kubernetes_ca_cert": fs::read_to_string(kubernetes.ca_certificate()).unwrap(),
            "token_reviewer_jwt": kubernetes.create_token("backups", "reviewer", None),
        }),
    );
}

/// Returns a public key (PEM) and a JWT that its private key signed.
fn signed_jwt() -> (String, String) {
    let script = r#"
set -eu
cd "$1"
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -out public.pem 2>/dev/null
url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
head=$(printf '{"alg":"RS256","typ":"JWT"}' | url)
body=$(printf '{"sub":"snapshots","aud":"openbao","iat":%s,"exp":%s}' "$(date +%s)" "$(($(date +%s) + 600))" | url)
printf '%s.%s.%s' "$head" "$body" "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign key.pem | url)"
"#;
    let folder = scratch_dir();
    let output = Run::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(&*folder)
        .succeed();
    let key = fs::read_to_string(folder.join("public.pem")).unwrap();
    (key, output.stdout)
}
