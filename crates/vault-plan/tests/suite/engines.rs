//! Secrets of other engines than KV.

use serde_json::{Value, json};

use crate::site::{declarations, plan, secret, shared_server};

fn certificate(mount: &str) -> Value {
    secret(
        &format!("{mount}/sign/web"),
        &json!({ "source": { "pki": { "common_name": "web01.example.org" } } }),
    )
}

#[test]
fn the_right_to_use_an_engine_is_checked() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("engines");
    server.enable_pki("pki-engines");
    server.put_secret("hosts/engines/db", &json!({ "key": "hunter2" }));
    let read = |path| secret(path, &json!({ "source": "read" }));
    let declared = declarations(
        "engines",
        &[
            ("ca", read("pki-engines/cert/ca")),
            ("db", secret("hosts/engines/db", &json!({}))),
            ("tls", certificate("pki-engines")),
        ],
    );
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 1
    ----- stdout -----
    engines: 3 secrets
      denied: ca: the host may not read `pki-engines/cert/ca`: its policy `host-engines` does not allow it; write a policy with the right to read it, add the policy's name to `policies` under `[hosts.engines]` in `fleet.toml`, then run `create-host --hostname engines`
      denied: tls: the host may not update `pki-engines/sign/web`: its policy `host-engines` does not allow it; write a policy with the right to update it, add the policy's name to `policies` under `[hosts.engines]` in `fleet.toml`, then run `create-host --hostname engines`

    1 host, 3 secrets: 2 denied
    ----- stderr -----
    error: 2 findings of the kinds `missing`, `keys` and `denied`
    ");
    server.allow_engine("engines", "pki-engines");
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 0
    ----- stdout -----
    engines: 3 secrets, all there
    ----- stderr -----
    ");
    // no certificate was asked for
    let issued = server.list("pki-engines/certs");
    assert_eq!(issued.len(), 1, "{issued:?}");
}

/// A rule about an engine of KV version 1, which a secret is read from.
#[test]
fn a_rule_that_a_read_uses_is_not_unused() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("reads-kv");
    server.enable_engine("kv-of-reads", "kv");
    server.write("kv-of-reads/app", &json!({ "user": "app" }));
    server.allow_engine("reads-kv", "kv-of-reads");
    let app = secret("kv-of-reads/app", &json!({ "source": "read" }));
    let output = plan(&server, &declarations("reads-kv", &[("app", app)])).succeed();
    output.assert_lacks("grants `kv-of-reads/");
}

/// A host without a secret in the KV engine needs no such engine.
#[test]
fn a_host_without_kv_secrets_needs_no_kv_engine() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("only-engines");
    server.enable_pki("pki-only");
    server.allow_engine("only-engines", "pki-only");
    let mut declared = declarations("only-engines", &[("tls", certificate("pki-only"))]);
    declared["openbao"]["kv_mount"] = "no-such-mount".into();
    plan(&server, &declared).succeed();
}
