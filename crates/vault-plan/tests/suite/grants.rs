//! Unused grants.

use serde_json::json;
use zts_openbao::sys;

use crate::site::{declarations, finding_lines, plan, secret, shared_server};

#[test]
fn unused_grants_are_found() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("granted");
    server.put_secret("hosts/granted/deep/db", &json!({ "key": "hunter2" }));
    server.put_secret("shared/used", &json!({ "key": "hunter2" }));
    let standard = sys::read_policy(&server.client(), "host-granted").unwrap();
    let rule = |path: &str, right: &str| {
        format!("path \"{path}\" {{\n  capabilities = [\"{right}\"]\n}}\n")
    };
    let more = [
        rule("secret/data/shared/used", "read"),
        rule("secret/data/shared/unused", "read"),
        rule("secret/data/elsewhere/*", "read"),
        // a grant has rules about its metadata, which are not named beside it
        rule("secret/metadata/elsewhere/*", "list"),
        rule("secret/metadata/elsewhere/", "list"),
        rule("secret/detailed-metadata/elsewhere/*", "list"),
        rule("secret/metadata/shared/unused", "read"),
        rule("secret/data/+/+/nothing", "read"),
        rule("secret/data/forbidden", "deny"),
        rule("pki/issue/granted", "update"),
        rule("auth/token/lookup-self", "read"),
    ];
    sys::write_policy(
        &server.client(),
        "host-granted",
        &(standard + &more.concat()),
    )
    .unwrap();
    let declared = declarations(
        "granted",
        &[
            ("db", secret("hosts/granted/deep/db", &json!({}))),
            ("used", secret("shared/used", &json!({}))),
        ],
    );
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 0
    ----- stdout -----
    granted: 2 secrets, all there
      unused: the policy `host-granted` grants `secret/data/+/+/nothing`, which no declared secret uses; declare the secret, or remove the rule: from `grants` in `fleet.toml` if it is there, else from the policy
      unused: the policy `host-granted` grants `secret/data/elsewhere/*`, which no declared secret uses; declare the secret, or remove the rule: from `grants` in `fleet.toml` if it is there, else from the policy
      unused: the policy `host-granted` grants `secret/data/shared/unused`, which no declared secret uses; declare the secret, or remove the rule: from `grants` in `fleet.toml` if it is there, else from the policy

    1 host, 2 secrets: 3 unused
    ----- stderr -----
    ");
    plan(&server, &declared)
        .args(["--strict"])
        .run()
        .assert_status(1);
}

#[test]
fn any_secret_of_the_host_uses_the_grants_of_create_host() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("standard");
    server.put_secret("hosts/standard/db", &json!({ "key": "hunter2" }));
    let own = declarations(
        "standard",
        &[("db", secret("hosts/standard/db", &json!({})))],
    );
    assert_eq!(finding_lines(plan(&server, &own)), [""; 0]);
}

#[test]
fn configurations_of_one_host_use_its_grants_together() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("twin");
    for name in ["a", "b"] {
        server.put_secret(&format!("hosts/twin/{name}"), &json!({ "key": "hunter2" }));
    }
    let text = "path \"secret/data/hosts/twin/a\" {\n  capabilities = [\"read\"]\n}\n\
                path \"secret/data/hosts/twin/b\" {\n  capabilities = [\"read\"]\n}\n";
    sys::write_policy(&server.client(), "host-twin", text).unwrap();
    let declared = json!({
        "twin": declarations("twin", &[("a", secret("hosts/twin/a", &json!({})))]),
        "twin-next": declarations("twin", &[("b", secret("hosts/twin/b", &json!({})))]),
    });
    insta::assert_snapshot!(plan(&server, &declared).args(["--strict"]).run(), @r"
    exit status: 0
    ----- stdout -----
    twin: 1 secret, all there
    twin-next (hostname twin): 1 secret, all there

    2 hosts, 2 secrets: all there
    ----- stderr -----
    ");
}
