//! The operator's own rights.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use zts_openbao::{Method, Request};
use zts_testkit::{Fault, Proxy, Server, find_leak};

use crate::site::{declarations, plan, secret, shared_server};

/// Logs the host in once, and adds it to a group.
fn in_a_group(server: &Server, host: &str) {
    let credentials = server.issue_secret_id(host);
    let login = json!({ "role_id": credentials.role_id, "secret_id": credentials.secret_id });
    let request = Request::new(Method::Post, "auth/approle/login");
    let request = request.json(&login).unwrap();
    let reply = server.anonymous_client().send::<Value>(&request).unwrap();
    let token = reply.unwrap().auth.unwrap().client_token;
    let looked_up = server.write(
        "auth/token/lookup",
        &json!({ "token": token.expose_secret() }),
    );
    let group = json!({ "name": host, "member_entity_ids": [looked_up.unwrap()["entity_id"]] });
    server.write("identity/group", &group);
}

fn rules(rules: &[(&str, &str)]) -> String {
    let rules = rules
        .iter()
        .map(|(path, right)| format!("path \"{path}\" {{\n  capabilities = [\"{right}\"]\n}}\n"));
    rules.collect()
}

const ENOUGH: [(&str, &str); 11] = [
    ("secret/data/*", "read"),
    ("auth/approle/role/+", "read"),
    ("auth/approle/role/+/role-id", "read"),
    ("auth/approle/role/+/secret-id/", "list"),
    ("sys/policies/acl/+", "read"),
    ("identity/lookup/entity", "update"),
    ("identity/group/id/+", "read"),
    ("auth/token/roles/vault-plan", "read"),
    ("auth/token/create/vault-plan", "update"),
    ("sys/capabilities", "update"),
    ("secret/metadata/hosts/*", "list"),
];

#[test]
fn the_rights_in_help_are_sufficient() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("audited");
    server.put_secret("hosts/audited/deep/db", &json!({ "key": "hunter2" }));
    let db = secret("hosts/audited/deep/db", &json!({ "rotation": "hourly" }));
    let declared = declarations("audited", &[("db", db)]);
    let token = server.create_token("operator", &rules(&ENOUGH));
    let output = plan(&server, &declared).env("BAO_TOKEN", token).succeed();
    assert_eq!(output.stdout, "audited: 1 secret, all there\n", "{output}");
}

#[test]
fn all_missing_rights_are_in_one_error() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("hidden");
    server.put_secret("hosts/hidden/db", &json!({ "key": "hunter2" }));
    let declared = declarations("hidden", &[("db", secret("hosts/hidden/db", &json!({})))]);
    let nothing = server.create_token("nobody", "# nothing\n");
    insta::assert_snapshot!(plan(&server, &declared).env("BAO_TOKEN", nothing).run(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token lacks the rights `read` on `auth/approle/role/hidden`, `read` on `auth/token/roles/vault-plan`, `read` on `secret/data/hosts/hidden/db`, `list` on `secret/metadata/hosts/hidden/`

    hint: use a token that has a policy with rules such as:

    path "auth/approle/role/hidden" {
      capabilities = ["read"]
    }
    path "auth/token/roles/vault-plan" {
      capabilities = ["read"]
    }
    path "secret/data/hosts/hidden/db" {
      capabilities = ["read"]
    }
    path "secret/metadata/hosts/hidden/" {
      capabilities = ["list"]
    }
    "#);
    in_a_group(&server, "hidden");
    for missing in 0..ENOUGH.len() {
        let mut some = ENOUGH.to_vec();
        let (_, right) = some.remove(missing);
        let token = server.create_token(&format!("operator-{missing}"), &rules(&some));
        let output = plan(&server, &declared)
            .env("BAO_TOKEN", token)
            .run()
            .assert_status(1);
        assert!(
            output.stdout.is_empty() && output.stderr.contains(&format!("`{right}` on")),
            "{output}"
        );
    }
}

#[test]
fn an_invalid_token_is_an_error() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let declared = declarations("any", &[("db", secret("hosts/any/db", &json!({})))]);
    insta::assert_snapshot!(plan(&server, &declared).env("BAO_TOKEN", "s.invalid").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` refused the token: it is not valid, or has not even the policy `default`

    hint: run `bao login`, or set `BAO_TOKEN`
    ");
}

/// The operator's policy is of an older version of this program.
#[test]
fn missing_rights_on_queries_of_capabilities_are_in_one_error() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("older");
    server.put_secret("hosts/older/db", &json!({ "key": "hunter2" }));
    let declared = declarations("older", &[("db", secret("hosts/older/db", &json!({})))]);
    let older = ENOUGH.into_iter().filter(|(path, _)| {
        path.starts_with("secret/") || path.starts_with("sys/policies") || path.ends_with("role/+")
    });
    let token = server.create_token("older", &rules(&older.collect::<Vec<_>>()));
    let output = plan(&server, &declared)
        .env("BAO_TOKEN", token)
        .run()
        .assert_status(1);
    for path in [
        "auth/approle/role/older/role-id",
        "auth/approle/role/older/secret-id/",
        "auth/token/create/vault-plan",
        "auth/token/roles/vault-plan",
    ] {
        output.assert_reports(&format!("on `{path}`"));
    }
}

/// The body of a query of capabilities contains the token with the host's policies.
#[test]
fn errors_that_repeat_the_request_show_no_token() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("echoed-token");
    server.put_secret("hosts/echoed-token/db", &json!({ "key": "hunter2" }));
    let db = secret("hosts/echoed-token/db", &json!({}));
    let declared = declarations("echoed-token", &[("db", db)]);
    for fault in [Fault::EchoBody(400), Fault::Echo(400)] {
        let proxy = Proxy::to(&server.address());
        proxy.on("sys/capabilities", fault);
        let run = plan(&server, &declared).env("BAO_ADDR", proxy.address());
        let output = run.env("BAO_LOG_LEVEL", "trace").fail(1, "[redacted]");
        output.assert_reports("TRACE HTTP exchange");
        output.assert_lacks("\"b.AA");
        assert_eq!(
            find_leak(server.root_token(), &output.stderr),
            None,
            "{output}"
        );
    }
}
