//! Who may take a snapshot: whoever may read that one path.

use std::fs;

use serde_json::json;
use testkit::{Kubernetes, Output, Run, Server, scratch_dir, wait_for};

use crate::site::{self, Site, description, vault_snapshot};

/// The policy that the documentation shows.
const POLICY: &str = r#"path "sys/storage/raft/snapshot" { capabilities = ["read"] }"#;
const CANARY: &str =
    r#"path "secret/data/vault-snapshot/canary" { capabilities = ["create", "update"] }"#;

/// Makes the role, and gives the folder with its credentials.
fn approle(server: &Server, policy: &str) -> testkit::ScratchDir {
    server.write("sys/auth/approle", &json!({ "type": "approle" }));
    let folder = scratch_dir();
    site::approle(server, "snapshot", policy, &folder);
    folder
}

fn save(site: &Site) -> Run {
    vault_snapshot(&["save", "--dir", &site.dir(), "--wait", "1s"])
        .env("BAO_ADDR", site.server.address())
}

#[test]
fn an_approle_that_may_read_the_snapshot_and_nothing_else() {
    testkit::require_bao!();
    let site = Site::new();
    let credentials = approle(&site.server, POLICY);
    let run = || {
        save(&site)
            .args(["--auth", "approle", "--approle-dir"])
            .arg(&*credentials)
    };
    let output = run().run();
    assert_eq!(output.code(), Some(0), "{output}");
    // The canary needs its own path; without, the snapshot is saved all the same.
    let output = run()
        .args(["--canary", "secret/vault-snapshot/canary"])
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output
            .stderr
            .contains("`create` and `update` on `secret/data/vault-snapshot/canary`"),
        "{output}"
    );
    site.server.write(
        "sys/policies/acl/snapshot",
        &json!({ "policy": format!("{POLICY}\n{CANARY}") }),
    );
    let output = run()
        .args(["--canary", "secret/vault-snapshot/canary"])
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
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
        "only its digest stands beside the snapshot"
    );
    // And without the one right, no snapshot.
    site.server
        .write("sys/policies/acl/snapshot", &json!({ "policy": CANARY }));
    let output = run().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("`read` on `sys/storage/raft/snapshot`"),
        "{output}"
    );
    assert!(!output.stderr.contains("tries again"), "{output}");
}

#[test]
fn credentials_that_are_not_there_or_refused() {
    testkit::require_bao!();
    let site = Site::new();
    let credentials = approle(&site.server, POLICY);
    let run = || {
        save(&site)
            .args(["--auth", "approle", "--approle-dir"])
            .arg(&*credentials)
    };
    fs::write(credentials.join("secret-id"), "not-one").unwrap();
    let output = run().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("refused the login at `auth/approle/login`"),
        "{output}"
    );
    assert!(!output.stderr.contains("not-one"), "{output}");
    fs::remove_file(credentials.join("secret-id")).unwrap();
    let output = run().run();
    assert_eq!(output.code(), Some(2), "{output}");
}

/// Workload identity: a JWT that another party signed.
#[test]
fn a_workloads_token() {
    testkit::require_bao!();
    let site = Site::new();
    let Some((key, jwt)) = signed_jwt() else {
        testkit::skip!("no openssl on this machine");
    };
    let server = &site.server;
    server.write("sys/policies/acl/snapshot", &json!({ "policy": POLICY }));
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
    let output = run().args(["--role", "snapshot"]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    let left = server.list("auth/token/accessors");
    assert_eq!(left.len(), 1, "only the root token is left: {left:?}");
    let output = run().args(["--role", "nobody"]).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(!output.stderr.contains(&jwt), "{output}");
    let output = run().run();
    assert_eq!(output.code(), Some(2), "{output}");
    let output = run()
        .args(["--role", "snapshot", "--auth-mount", "other"])
        .run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("auth/other/login"), "{output}");
}

/// A pod's service account: OpenBao asks the API server whose token it is, and whether it still is.
#[test]
fn a_service_account() {
    testkit::require_bao!();
    testkit::require_kubernetes!();
    let site = Site::new();
    let kubernetes = Kubernetes::start();
    kubernetes.add_namespace("backups");
    for account in ["snapshot", "other"] {
        kubernetes.add_service_account("backups", account);
    }
    let server = &site.server;
    server.write("sys/policies/acl/snapshot", &json!({ "policy": POLICY }));
    trust(server, &kubernetes);
    server.write(
        "auth/kubernetes/role/snapshot",
        &json!({
            "bound_service_account_names": ["snapshot"], "bound_service_account_namespaces": ["backups"],
            "audience": "openbao", "token_policies": ["snapshot"], "token_type": "batch", "token_ttl": "10m",
        }),
    );
    let folder = scratch_dir();
    let file = folder.join("token");
    let token = |account| kubernetes.token("backups", account, Some("openbao"));
    let run = |token: &str| {
        fs::write(&file, token).unwrap();
        let run = save(&site).args(["--auth", "kubernetes", "--role", "snapshot", "--jwt-file"]);
        run.arg(&file).run()
    };
    let good = token("snapshot");
    let output = run(&good);
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(site.path(output.stdout.trim()).exists(), "{output}");

    let other = token("other");
    let for_the_api_server = kubernetes.token("backups", "snapshot", None);
    for refused in [&other, &for_the_api_server] {
        let output = run(refused);
        is_refused(&output, refused);
    }
    kubernetes.get([
        "delete",
        "serviceaccount",
        "--namespace",
        "backups",
        "snapshot",
    ]);
    // The API server remembers for ten seconds that a token was good.
    let output = wait_for("the deleted account is refused", || {
        let output = run(&good);
        (output.code() != Some(0)).then_some(output)
    });
    is_refused(&output, &good);
}

/// Said once, by its name, and without the token.
#[track_caller]
fn is_refused(output: &Output, token: &str) {
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("OpenBao refused the login at `auth/kubernetes/login`"),
        "{output}"
    );
    assert!(!output.stderr.contains("tries again"), "{output}");
    assert!(!output.stderr.contains(token), "{output}");
}

/// Has OpenBao ask this API server, with the token of an account that may review others'.
fn trust(server: &Server, kubernetes: &Kubernetes) {
    kubernetes.add_service_account("backups", "reviewer");
    kubernetes.get([
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
            "token_reviewer_jwt": kubernetes.token("backups", "reviewer", None),
        }),
    );
}

/// A public key (PEM), and a JWT that its private half signed.
fn signed_jwt() -> Option<(String, String)> {
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
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&*folder)
        .output()
        .ok()?;
    let key = fs::read_to_string(folder.join("public.pem")).ok()?;
    output
        .status
        .success()
        .then(|| (key, String::from_utf8(output.stdout).unwrap()))
}
