//! Paths that a host's policies do not let it read.

use serde_json::{Value, json};
use zts_openbao::{approle, sys};
use zts_testkit::Server;

use crate::site::{declarations, finding_lines, plan, secret, shared_server, with_openbao};

/// Adds a host with a role of these policies, the policy `host-<host>` of this text, and a secret
/// `shared/<host>`.
fn host(server: &Server, name: &str, policies: &[&str], text: &str) -> Value {
    server.put_secret(&format!("shared/{name}"), &json!({ "key": "hunter2" }));
    let role = json!({ "token_policies": policies, "token_no_default_policy": true });
    approle::write_role(&server.client(), "approle", name, &role).unwrap();
    sys::write_policy(&server.client(), &format!("host-{name}"), text).unwrap();
    server.issue_secret_id(name);
    declarations(
        name,
        &[("ca", secret(&format!("shared/{name}"), &json!({})))],
    )
}

#[test]
fn paths_that_no_policy_allows_are_denied() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("strict");
    server.put_secret("hosts/strict/db", &json!({ "key": "hunter2" }));
    server.put_secret("shared/ca", &json!({ "key": "hunter2" }));
    server.put_secret("shared/denied/ca", &json!({ "key": "hunter2" }));
    let text = "path \"secret/data/shared/denied/*\" {\n  capabilities = [\"deny\"]\n}\n\
                path \"secret/data/shared/+/ca\" {\n  capabilities = [\"read\"]\n}\n";
    sys::write_policy(&server.client(), "more-strict", text).unwrap();
    let role = json!({ "token_policies": ["host-strict", "more-strict"] });
    approle::write_role(&server.client(), "approle", "strict", &role).unwrap();
    let declared = declarations(
        "strict",
        &[
            ("ca", secret("shared/ca", &json!({}))),
            ("db", secret("hosts/strict/db", &json!({}))),
            ("denied", secret("shared/denied/ca", &json!({}))),
        ],
    );
    insta::assert_snapshot!(plan(&server, &declared).run(), @r#"
    exit status: 1
    ----- stdout -----
    strict: 3 secrets
      denied: ca: the host may not read `secret/data/shared/ca`: its policies `host-strict`, `more-strict` do not allow it; add `grants = ["shared/ca"]` under `[hosts.strict]` in `fleet.toml`, then run `create-host --hostname strict`
      denied: denied: the host may not read `secret/data/shared/denied/ca`: its policies `host-strict`, `more-strict` do not allow it; add `grants = ["shared/denied/ca"]` under `[hosts.strict]` in `fleet.toml`, then run `create-host --hostname strict`

    1 host, 3 secrets: 2 denied
    ----- stderr -----
    error: 2 findings of the kinds `missing`, `keys` and `denied`
    "#);
}

#[test]
fn missing_roles_and_policies_have_commands() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("hosts/unmade/db", &json!({ "key": "hunter2" }));
    let declared = declarations("unmade", &[("db", secret("hosts/unmade/db", &json!({})))]);
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 1
    ----- stdout -----
    unmade: 1 secret
      denied: there is no role `auth/approle/role/unmade`: the host cannot log in; make the host with `create-host --hostname unmade`

    1 host, 1 secret: 1 denied
    ----- stderr -----
    error: 1 finding of the kinds `missing`, `keys` and `denied`
    ");
    let unmounted = with_openbao(declared.clone(), &json!({ "approle_mount": "nowhere" }));
    insta::assert_snapshot!(plan(&server, &unmounted).run().assert_status(1).stdout, @r"
    unmade: 1 secret
      denied: AppRole is not mounted at `auth/nowhere/`: the host cannot log in; bao auth enable -path=nowhere approle

    1 host, 1 secret: 1 denied
    ");
    let role =
        json!({ "token_policies": ["host-unmade", "more-gone"], "token_no_default_policy": true });
    approle::write_role(&server.client(), "approle", "unmade", &role).unwrap();
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 1
    ----- stdout -----
    unmade: 1 secret
      denied: the role `auth/approle/role/unmade` has no secret id: the host cannot log in; issue one with `create-host --hostname unmade --force`
      denied: the policy `host-unmade` of the role `unmade` does not exist; make it with `create-host --hostname unmade`
      denied: the policy `more-gone` of the role `unmade` does not exist; write it with `bao policy write`, or remove it from the role
      denied: db: the host may not read `secret/data/hosts/unmade/db`: its policies `host-unmade`, `more-gone` do not allow it; run `create-host --hostname unmade`, and see whether another policy of its role denies it

    1 host, 1 secret: 4 denied
    ----- stderr -----
    error: 4 findings of the kinds `missing`, `keys` and `denied`
    ");
}

/// OpenBao's answer counts. Rules with templates, which only the host could test, are noted.
#[test]
fn conditions_are_tested_and_templates_noted() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let rule = |path: &str, more: &str| {
        format!("path \"{path}\" {{\n  capabilities = [\"read\"]\n{more}}}\n")
    };
    let template = "secret/data/shared/{{identity.entity.name}}";
    let expires = |year: u32| format!("  expiration = \"{year}-01-01T00:00:00Z\"\n");
    for (name, text, expected) in [
        ("template", rule(template, ""), "note template"),
        (
            "elsewhere",
            rule("secret/data/other/{{identity.entity.name}}", ""),
            "denied read",
        ),
        (
            "same-verdict",
            rule(template, "") + &rule("secret/data/shared/*", ""),
            "",
        ),
        (
            "forbidding",
            rule("secret/data/shared/*", "") + &rule(template, "").replace("read", "deny"),
            "note template",
        ),
        ("expires", rule("secret/data/shared/*", &expires(2999)), ""),
        (
            "expired",
            rule("secret/data/shared/*", &expires(2020)),
            "denied read",
        ),
    ] {
        let declared = host(&server, name, &[&format!("host-{name}")], &text);
        let lines = finding_lines(plan(&server, &declared));
        let about_rights = |line: &&String| !line.starts_with("unused");
        let about_rights: Vec<_> = lines.iter().filter(about_rights).collect();
        match expected {
            "" => assert!(about_rights.is_empty(), "{name}: {lines:?}"),
            expected => {
                let path = format!("{expected} secret/data/shared/{name}");
                assert_eq!(about_rights, [&path], "{name}: {lines:?}");
            }
        }
    }
}

#[test]
fn policies_that_only_openbao_parses_count() {
    zts_testkit::require_bao!();
    let server = shared_server();
    // HCL version 1 needs no line breaks
    let text =
        r#"path "secret/data/shared/*" { capabilities = ["read"] comment = "all on one line" }"#;
    let declared = host(&server, "dialect", &["host-dialect"], text);
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 0
    ----- stdout -----
    dialect: 1 secret, all there
      note: the policy `host-dialect` could not be checked for unused grants and templates: line 1, column 55: invalid block body; expected `}`, newline or identifier

    1 host, 1 secret: 1 note
    ----- stderr -----
    ");
}

#[test]
fn an_empty_policy_allows_nothing() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let declared = host(&server, "nothing", &[], "# nothing yet\n");
    assert_eq!(
        finding_lines(plan(&server, &declared)),
        ["denied read secret/data/shared/nothing"]
    );
}

#[test]
fn a_policy_may_be_json_and_the_default_policy_counts() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let text = r#"{"path": {"secret/data/shared/*": {"capabilities": ["read"]}}}"#;
    let declared = host(&server, "json", &["host-json"], text);
    assert_eq!(finding_lines(plan(&server, &declared)), [""; 0]);
    let server = Server::dev(); // for it alone: the default policy is everybody's
    server.enable_approle();
    let declared = host(&server, "by-default", &[], "# none\n");
    let role = json!({ "token_policies": [], "token_no_default_policy": false });
    approle::write_role(&server.client(), "approle", "by-default", &role).unwrap();
    assert_eq!(
        finding_lines(plan(&server, &declared)),
        ["denied read secret/data/shared/by-default"]
    );
    let default = sys::read_policy(&server.client(), "default").unwrap();
    let default = default + "\npath \"secret/data/shared/*\" {\n  capabilities = [\"read\"]\n}\n";
    sys::write_policy(&server.client(), "default", &default).unwrap();
    assert_eq!(finding_lines(plan(&server, &declared)), [""; 0]);
}

#[test]
fn rotation_without_the_right_to_list_is_noted() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let text = "path \"secret/data/shared/*\" {\n  capabilities = [\"read\"]\n}\n";
    let mut declared = host(&server, "rotates", &["host-rotates"], text);
    declared["secrets"]["ca"]["rotation"] = json!("hourly");
    insta::assert_snapshot!(plan(&server, &declared).args(["--strict"]).run(), @r"
    exit status: 0
    ----- stdout -----
    rotates: 1 secret, all there
      note: the host may not list `secret/detailed-metadata/shared/`, with which rotation finds new versions in one request; give a policy of its role `list` on this path

    1 host, 1 secret: 1 note
    ----- stderr -----
    ");
}

/// create-host grants a single secret without the right to list its folder.
#[test]
fn rotation_reads_the_metadata_of_a_single_secret() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let text = "path \"secret/data/shared/single\" {\n  capabilities = [\"read\"]\n}\n\
                path \"secret/metadata/shared/single\" {\n  capabilities = [\"read\"]\n}\n";
    let mut declared = host(&server, "single", &["host-single"], text);
    declared["secrets"]["ca"]["rotation"] = json!("hourly");
    assert_eq!(finding_lines(plan(&server, &declared)), [""; 0]);
}

#[test]
fn a_role_with_the_policy_root_is_denied() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let text = "path \"secret/data/shared/*\" {\n  capabilities = [\"read\"]\n}\n";
    let declared = host(&server, "roots", &["host-roots", "root"], text);
    assert_eq!(
        finding_lines(plan(&server, &declared)),
        ["denied root auth/approle/role/roots"]
    );
    let credentials = server.issue_secret_id("roots");
    let credentials = zts_openbao::AppRoleCredentials {
        role_id: credentials.role_id.into(),
        secret_id: credentials.secret_id.into(),
    };
    let login = approle::login(&server.anonymous_client(), "approle", &credentials);
    assert!(login.is_err(), "OpenBao has changed its mind");
}

#[test]
fn address_blocks_of_a_role_are_noted() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("bound");
    server.put_secret("hosts/bound/db", &json!({ "key": "hunter2" }));
    let declared = declarations("bound", &[("db", secret("hosts/bound/db", &json!({})))]);
    let bind = |parameter: &str, blocks: &[&str]| {
        let role = json!({ "token_policies": ["host-bound"], parameter: blocks });
        approle::write_role(&server.client(), "approle", "bound", &role).unwrap();
    };
    plan(&server, &declared).succeed();
    bind(
        "secret_id_bound_cidrs",
        &["192.0.2.7/32", "198.51.100.0/24"],
    );
    bind("token_bound_cidrs", &["192.0.2.0/24"]);
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 0
    ----- stdout -----
    bound: 1 secret, all there
      note: the role `auth/approle/role/bound` lets the host log in from 192.0.2.7/32, 198.51.100.0/24 only (`secret_id_bound_cidrs`); the address of the host is unknown
      note: the role `auth/approle/role/bound` lets the host read from 192.0.2.0/24 only (`token_bound_cidrs`); the address of the host is unknown

    1 host, 1 secret: 2 notes
    ----- stderr -----
    ");
}

/// OpenBao lists expired secret ids until it removes them.
#[test]
fn expired_secret_ids_are_denied() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("outdated");
    let role = "auth/approle/role/outdated";
    for accessor in server.list(&format!("{role}/secret-id")) {
        let accessor = json!({ "secret_id_accessor": accessor });
        server.write(&format!("{role}/secret-id-accessor/destroy"), &accessor);
    }
    server.put_secret("hosts/outdated/db", &json!({ "key": "hunter2" }));
    let declared = declarations(
        "outdated",
        &[("db", secret("hosts/outdated/db", &json!({})))],
    );
    server.write(role, &json!({ "secret_id_ttl": "1s" }));
    server.issue_secret_id("outdated");
    zts_testkit::wait_for("it expires", || {
        let output = plan(&server, &declared).run();
        (output.code() == Some(1)).then_some(())
    });
    let output = plan(&server, &declared).run().assert_status(1);
    let line = "denied: each secret id of the role `auth/approle/role/outdated` has expired";
    output.assert_prints(line);
    server.write(role, &json!({ "secret_id_ttl": "1h" }));
    server.issue_secret_id("outdated");
    plan(&server, &declared).succeed();
}

/// `sys/capabilities` reports `read` for such a rule, and OpenBao refuses a plain read.
#[test]
fn rules_that_require_wrapping_are_denied() {
    zts_testkit::require_bao!();
    let server = shared_server();
    for (name, more, expected) in [
        ("wrapped", "\n  min_wrapping_ttl = \"10s\"", true),
        ("briefly", "\n  max_wrapping_ttl = \"10s\"", true),
        ("required", "\n  required_parameters = [\"x\"]", true),
        (
            "parameters",
            "\n  denied_parameters = { \"*\" = [] }",
            false,
        ),
        // OpenBao parses two attributes on one line, HCL version 2 does not
        ("one-line", " min_wrapping_ttl = \"10s\"", true),
        ("harmless", " denied_parameters = { \"*\" = [] }", false),
    ] {
        let text =
            format!("path \"secret/data/shared/*\" {{\n  capabilities = [\"read\"]{more}\n}}\n");
        let declared = host(&server, name, &[&format!("host-{name}")], &text);
        let output = plan(&server, &declared).run();
        let is_denied = output.stdout.contains("denied: ca: the host may not read");
        assert_eq!(is_denied, expected, "{name}: {output}");
        assert_eq!(output.code(), Some(i32::from(expected)), "{name}: {output}");
    }
}
