//! The operator's policy: on the page and in OpenTofu the same, enough, and not more.

use serde_json::{Value, json};
use zts_testkit::Server;

use crate::{site::Site, terraform};

/// The capabilities that this project's commands need in addition to the policy `default`.
const NEEDED: [(&str, &[&str]); 17] = [
    (
        "auth/approle/role/web01",
        &["create", "read", "update", "delete"],
    ),
    ("auth/approle/role/web01/role-id", &["read"]),
    ("auth/approle/role/web01/secret-id", &["update"]),
    ("auth/approle/role/web01/secret-id/", &["list"]),
    (
        "auth/approle/role/web01/secret-id-accessor/lookup",
        &["update"],
    ),
    (
        "auth/approle/role/web01/secret-id-accessor/destroy",
        &["update"],
    ),
    ("sys/policies/acl/host-web01", &["read", "update", "delete"]),
    ("sys/policies/acl/default", &["read"]),
    ("sys/mounts/auth/approle", &["read"]),
    ("sys/mounts/auth/approle/tune", &["read"]),
    ("identity/lookup/entity", &["update"]),
    ("identity/group/id/x", &["read"]),
    ("auth/token/roles/vault-plan", &["read"]),
    ("auth/token/create/vault-plan", &["update"]),
    ("sys/capabilities", &["update"]),
    ("secret/metadata/hosts/", &["list"]),
    ("secret/data/hosts/web01/db", &["create", "read", "update"]),
];

/// The paths that only root, or more than one person, may use.
const FORBIDDEN: [&str; 12] = [
    "auth/token/create",
    "auth/token/create-orphan",
    "auth/userpass/users/alice",
    "secret/data/other",
    "secret/destroy/hosts/web01/db",
    "secret/config",
    "sys/audit/file",
    "sys/auth/other",
    "sys/mounts/other",
    "sys/raw/core",
    "sys/seal",
    "sys/storage/raft/snapshot",
];

pub(crate) fn policy() -> String {
    zts_book::block(&zts_book::read("how-to/operator.md"), "hcl")
}

/// Writes the policy and logs the operator in with it.
pub(crate) fn log_in(site: &mut Site) {
    let token = token(site.node("bao1"));
    site.log_in(&token);
}

fn token(server: &Server) -> String {
    server.write_policy("operator", &policy());
    let mut command = server.bao_command(&["token", "create", "-policy=operator", "-field=token"]);
    let output = command.output().expect("`bao token create` runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no token is made: {said}");
    String::from_utf8(output.stdout).expect("a token is text")
}

/// Returns the token's capabilities on a path (API page `sys/capabilities`).
fn rights(server: &Server, token: &str, path: &str) -> Vec<String> {
    let body = json!({ "token": token, "paths": [path] });
    let held = server.write("sys/capabilities", &body).unwrap_or_default();
    let held = held[path].as_array().cloned().unwrap_or_default();
    held.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_operator_may_do_what_the_commands_need_and_no_more() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let token = token(&server);
    for (path, needed) in NEEDED {
        let held = rights(&server, &token, path);
        let lacks: Vec<_> = needed
            .iter()
            .filter(|&&right| !held.iter().any(|held| held == right))
            .collect();
        assert!(lacks.is_empty(), "{path}: {lacks:?}");
    }
    for path in FORBIDDEN {
        assert_eq!(rights(&server, &token, path), ["deny"], "{path}");
    }
    assert_eq!(
        rights(&server, &token, "sys/policies/acl/operator"),
        ["read"]
    );
}

/// A token that writes hosts' policies and roles can obtain every right except those that need key
/// shares.
#[test]
fn an_operator_who_means_harm_may_do_anything_but_be_root() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_approle();
    let operator = token(&server);
    let say = |token: &str, arguments: &[&str]| {
        let mut command = server.bao_command(arguments);
        let output = command.env("BAO_TOKEN", token).output();
        let output = output.expect("`bao` runs");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(said)
    };
    let all = r#"policy=path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }"#;
    let role = "auth/approle/role/web01";
    let (role_id, secret_id) = (format!("{role}/role-id"), format!("{role}/secret-id"));
    say(&operator, &["write", "sys/policies/acl/host-web01", all]).expect("a host's policy");
    say(&operator, &["write", role, "token_policies=host-web01"]).expect("a host's role");
    let role_id = say(&operator, &["read", "-field=role_id", &role_id]).expect("its role id");
    let secret_id = say(
        &operator,
        &["write", "-force", "-field=secret_id", &secret_id],
    );
    let credentials = [
        format!("role_id={role_id}"),
        format!("secret_id={}", secret_id.expect("a secret id")),
    ];
    let login = ["write", "-field=token", "auth/approle/login"];
    let login = [&login[..], &credentials.each_ref().map(String::as_str)].concat();
    let host = say("", &login).expect("a login as that host");
    for path in FORBIDDEN {
        assert!(
            rights(&server, &host, path).contains(&"sudo".to_owned()),
            "{path}"
        );
    }
    assert_eq!(say(&host, &["token", "create", "-policy=root"]), None);
}

#[test]
fn the_page_shows_the_policy_that_opentofu_makes() {
    assert_eq!([policy()], terraform::policies("operator.tf")[..]);
}
