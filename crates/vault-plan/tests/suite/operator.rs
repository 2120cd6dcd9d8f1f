//! The operator's own rights.

use openbao::{Method, Request, sys};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testkit::Server;

use crate::site::{declarations, ends, plan, secret, shared_server};

/// A token with a policy of this text.
fn token(server: &Server, name: &str, policy: &str) -> String {
    let client = server.client();
    sys::write_policy(&client, name, policy).unwrap();
    let request = Request::new(Method::Post, "auth/token/create");
    let request = request.json(&json!({ "policies": [name] })).unwrap();
    let reply = client.send::<Value>(&request).unwrap().unwrap();
    reply.auth.unwrap().client_token.expose_secret().to_owned()
}

fn rules(rules: &[(&str, &str)]) -> String {
    let rules = rules
        .iter()
        .map(|(path, right)| format!("path \"{path}\" {{\n  capabilities = [\"{right}\"]\n}}\n"));
    rules.collect()
}

const ENOUGH: [(&str, &str); 4] = [
    ("secret/data/*", "read"),
    ("auth/approle/role/+", "read"),
    ("sys/policies/acl/+", "read"),
    ("secret/metadata/hosts/*", "list"),
];

#[test]
fn the_rights_that_help_names_are_enough() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("audited");
    server.put_secret("hosts/audited/deep/db", &json!({ "key": "hunter2" }));
    let db = secret("hosts/audited/deep/db", &json!({ "rotation": "hourly" }));
    let declared = declarations("audited", &[("db", db)]);
    let token = token(&server, "operator", &rules(&ENOUGH));
    let output = ends(plan(&server, &declared).env("BAO_TOKEN", token), 0);
    assert_eq!(output.stdout, "audited: 1 secret, all there\n", "{output}");
}

#[test]
fn every_right_that_is_missing_is_named_in_one_error() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("hidden");
    server.put_secret("hosts/hidden/db", &json!({ "key": "hunter2" }));
    let declared = declarations("hidden", &[("db", secret("hosts/hidden/db", &json!({})))]);
    let nothing = token(&server, "nobody", "# nothing\n");
    insta::assert_snapshot!(ends(plan(&server, &declared).env("BAO_TOKEN", nothing), 1), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token has not all the rights that this takes; it lacks `read` on `auth/approle/role/hidden`, `read` on `secret/data/hosts/hidden/db`, `list` on `secret/metadata/hosts/hidden/`

    hint: work with a token that has a policy with rules such as:

    path "auth/approle/role/hidden" {
      capabilities = ["read"]
    }
    path "secret/data/hosts/hidden/db" {
      capabilities = ["read"]
    }
    path "secret/metadata/hosts/hidden/" {
      capabilities = ["list"]
    }
    "#);
    for missing in 0..ENOUGH.len() {
        let mut some = ENOUGH.to_vec();
        let (_, right) = some.remove(missing);
        let token = token(&server, &format!("operator-{missing}"), &rules(&some));
        let output = ends(plan(&server, &declared).env("BAO_TOKEN", token), 1);
        assert!(
            output.stdout.is_empty() && output.stderr.contains(&format!("`{right}` on")),
            "{output}"
        );
    }
}

#[test]
fn a_token_that_is_none_is_called_so() {
    testkit::require_bao!();
    let server = shared_server();
    let declared = declarations("any", &[("db", secret("hosts/any/db", &json!({})))]);
    insta::assert_snapshot!(ends(plan(&server, &declared).env("BAO_TOKEN", "s.invalid"), 1), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` refused the token: it is not valid, or has not even the policy `default`

    hint: run `bao login`, or set `BAO_TOKEN`
    ");
}
