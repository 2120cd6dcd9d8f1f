//! Rights by identity: of the host's entity, and of groups.

use serde_json::{Value, json};
use zts_openbao::{AppRoleCredentials, approle, sys};
use zts_testkit::{Run, Server};

use crate::site::{declarations, finding_lines, plan, secret, shared_server};

/// Adds a host that has logged in, with the secret `shared/<name>`, which its own policy does not
/// allow. Returns its declarations and its entity.
fn host(server: &Server, name: &str) -> (Value, String) {
    let credentials = server.add_host(name);
    server.put_secret(&format!("shared/{name}"), &json!({ "key": "hunter2" }));
    let login = AppRoleCredentials {
        role_id: credentials.role_id.clone().into(),
        secret_id: credentials.secret_id.into(),
    };
    approle::login(&server.anonymous_client(), "approle", &login).unwrap();
    let mounts = sys::visible_mounts(&server.client()).unwrap();
    let accessor = &mounts.auth["approle/"].accessor;
    let alias = json!({ "alias_name": credentials.role_id, "alias_mount_accessor": accessor });
    let entity = server.write("identity/lookup/entity", &alias).unwrap();
    let path = format!("shared/{name}");
    let declared = declarations(name, &[("ca", secret(&path, &json!({})))]);
    (declared, entity["id"].as_str().unwrap().to_owned())
}

fn policy(server: &Server, name: &str, path: &str, right: &str) {
    let text = format!("path \"{path}\" {{\n  capabilities = [\"{right}\"]\n}}\n");
    sys::write_policy(&server.client(), name, &text).unwrap();
}

fn group(server: &Server, body: &Value) -> String {
    let group = server.write("identity/group", body).unwrap();
    group["id"].as_str().unwrap().to_owned()
}

/// Returns the findings about rights.
fn rights(run: Run) -> Vec<String> {
    let unused = |line: &String| line.starts_with("unused");
    let lines = finding_lines(run).into_iter();
    lines.filter(|line| !unused(line)).collect()
}

#[test]
fn policies_of_groups_count_also_if_nested() {
    zts_testkit::require_bao!();
    let server = shared_server();
    policy(&server, "more-of-a-group", "secret/data/shared/+", "read");
    for nested in [false, true] {
        let name = if nested { "nested" } else { "grouped" };
        let (declared, entity) = host(&server, name);
        let denied = format!("denied read secret/data/shared/{name}");
        assert_eq!(rights(plan(&server, &declared)), [denied]);
        let policies: &[&str] = if nested { &[] } else { &["more-of-a-group"] };
        let id = group(
            &server,
            &json!({ "name": name, "policies": policies, "member_entity_ids": [entity] }),
        );
        if nested {
            let outer = json!({
                "name": "outer", "policies": ["more-of-a-group"], "member_group_ids": [id],
            });
            group(&server, &outer);
        }
        let before = server.tokens_and_leases();
        assert_eq!(rights(plan(&server, &declared)), [""; 0]);
        assert_eq!(
            server.tokens_and_leases(),
            before,
            "no token and no lease stays"
        );
    }
}

#[test]
fn a_deny_of_the_entity_overrides_the_role() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (declared, entity) = host(&server, "marked");
    policy(&server, "host-marked", "secret/data/shared/*", "read");
    assert_eq!(rights(plan(&server, &declared)), [""; 0]);
    policy(&server, "more-of-marked", "secret/data/shared/*", "deny");
    let path = format!("identity/entity/id/{entity}");
    server.write(&path, &json!({ "policies": ["more-of-marked"] }));
    let denied = "denied read secret/data/shared/marked";
    assert_eq!(rights(plan(&server, &declared)), [denied]);
    server.write(&path, &json!({ "policies": [], "disabled": true }));
    let disabled = "denied entity auth/approle/role/marked";
    assert_eq!(rights(plan(&server, &declared)), [disabled]);
}

#[test]
fn policies_that_the_token_role_does_not_allow_are_noted() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (declared, _) = host(&server, "beyond");
    policy(&server, "host-beyond", "secret/data/shared/beyond", "list");
    policy(&server, "other", "secret/data/shared/beyond", "read");
    let role = json!({ "token_policies": ["host-beyond", "other"] });
    approle::write_role(&server.client(), "approle", "beyond", &role).unwrap();
    insta::assert_snapshot!(plan(&server, &declared).succeed().stdout, @r"
    beyond: 1 secret, all there
      note: the host's right to read its secrets could not be checked: it has the policies `other`, which the token role `vault-plan` does not allow; bao write auth/token/roles/vault-plan allowed_policies_glob='host-*,more-*,other'

    1 host, 1 secret: 1 note
    ");
}

#[test]
fn without_the_token_role_a_hint_creates_it() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let (declared, _) = host(&server, "early");
    let service = json!({ "allowed_policies_glob": ["host-*"], "token_type": "service" });
    for make in [None, Some(service)] {
        server.delete("auth/token/roles/vault-plan");
        if let Some(role) = make {
            server.write("auth/token/roles/vault-plan", &role);
        }
        let hosts = json!({ "one": declared, "two": declared });
        insta::allow_duplicates! {
            insta::assert_snapshot!(plan(&server, &hosts).run(), @r"
            exit status: 1
            ----- stdout -----
            ----- stderr -----
            error: OpenBao has no token role `vault-plan` of batch tokens, with which the capabilities of hosts' policies are queried

            hint: create it once, with a token that may (`terraform/vault/operator.tf` does so, too):

            bao write auth/token/roles/vault-plan allowed_policies_glob='host-*' token_type=batch orphan=true renewable=false
            ");
        }
    }
}
