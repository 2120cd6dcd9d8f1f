//! Hosts in namespaces.

use serde_json::json;
use zts_openbao::{Authentication, Client, Settings, approle, kv, sys};
use zts_testkit::Server;

use crate::site::{declarations, plan, secret, with_openbao};

fn client(server: &Server, namespace: &str) -> Client {
    let mut settings = Settings::new(vec![server.address().parse().unwrap()]);
    settings.namespace = Some(namespace.to_owned());
    let mut client = Client::new(settings).unwrap();
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}

fn post(client: &Client, path: &str, body: &serde_json::Value) {
    let request = zts_openbao::Request::new(zts_openbao::Method::Post, path);
    let request = request.json(body).unwrap();
    client.send::<serde_json::Value>(&request).unwrap();
}

/// Starts a server with the host `web01` and all its secrets in the namespace `team`.
fn server() -> Server {
    let server = Server::dev();
    server.create_namespace("team");
    let team = client(&server, "team");
    post(
        &team,
        "sys/mounts/secret",
        &json!({ "type": "kv", "options": { "version": "2" } }),
    );
    post(&team, "sys/auth/approle", &json!({ "type": "approle" }));
    let rule = "path \"secret/data/hosts/web01/*\" {\n  capabilities = [\"read\"]\n}\n";
    sys::write_policy(&team, "host-web01", rule).unwrap();
    let settings = json!({ "token_policies": ["host-web01"] });
    approle::write_role(&team, "approle", "web01", &settings).unwrap();
    post(&team, "auth/approle/role/web01/secret-id", &json!({}));
    let tokens = json!({
        "allowed_policies_glob": ["host-*"], "token_type": "batch", "orphan": true, "renewable": false,
    });
    post(&team, "auth/token/roles/vault-plan", &tokens);
    server.enable_approle();
    kv::write(
        &team,
        "secret",
        "hosts/web01/db",
        &json!({ "key": "hunter2" }),
    )
    .unwrap();
    server
}

#[test]
fn the_declared_namespace_is_used_or_else_the_operators() {
    zts_testkit::require_bao!();
    let server = server();
    let plain = declarations("web01", &[("db", secret("hosts/web01/db", &json!({})))]);
    let declared = with_openbao(plain.clone(), &json!({ "namespace": "team" }));
    let complete = "web01: 1 secret, all there\n";
    assert_eq!(plan(&server, &declared).succeed().stdout, complete);
    assert_eq!(
        plan(&server, &plain)
            .env("BAO_NAMESPACE", "team")
            .succeed()
            .stdout,
        complete
    );
    plan(&server, &plain).run().assert_status(1);
    let both = json!({ "root": plain, "team": declared });
    let output = plan(&server, &both).run().assert_status(1);
    output.assert_prints("team (hostname web01): 1 secret, all there\n");
    output.assert_prints("`hosts/web01/db` is not in OpenBao");
}

#[test]
fn commands_name_the_namespace() {
    zts_testkit::require_bao!();
    let server = server();
    let declared = declarations("web01", &[("new", secret("hosts/web01/new", &json!({})))]);
    let declared = with_openbao(declared, &json!({ "namespace": "team" }));
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 1
    ----- stdout -----
    web01: 1 secret
      missing: new: `hosts/web01/new` is not in OpenBao; bao kv put -namespace=team -mount=secret hosts/web01/new key=…
      undeclared: `hosts/web01/db` is in OpenBao, and no host declares it; declare it, or delete it with all its versions: bao kv metadata delete -namespace=team -mount=secret hosts/web01/db

    1 host, 1 secret: 1 missing, 1 undeclared
    ----- stderr -----
    error: 1 finding of the kinds `missing`, `keys` and `denied`
    ");
}
