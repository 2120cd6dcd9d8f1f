//! Unusual names.

use serde_json::json;
use zts_openbao::{approle, sys};

use crate::site::{declarations, finding_lines, plan, secret, shared_server, with_openbao};

#[test]
fn unusual_names_are_not_changed() {
    zts_testkit::require_bao!();
    let server = shared_server();
    for (host, path) in [
        ("web-01.example.org", "db"),
        ("über", "schlüssel/密码"),
        ("with blank", "a b?c#d%e"),
        ("plus+star", "a+b*c"),
    ] {
        server.put_secret(
            &format!("hosts/{host}/{path}"),
            &json!({ "key": "hunter2" }),
        );
        let rule =
            format!("path \"secret/data/hosts/{host}/*\" {{\n  capabilities = [\"read\"]\n}}\n");
        sys::write_policy(&server.client(), &format!("host-{host}"), &rule).unwrap();
        let settings = json!({ "token_policies": [format!("host-{host}")] });
        let made = approle::write_role(&server.client(), "approle", host, &settings);
        let declared = declarations(
            host,
            &[("db", secret(&format!("hosts/{host}/{path}"), &json!({})))],
        );
        if made.is_ok() {
            server.issue_secret_id(host);
            assert_eq!(finding_lines(plan(&server, &declared)), [""; 0], "{host}");
        } else {
            // OpenBao refuses a role of that name
            let path = format!("denied role auth/approle/role/{host}");
            assert_eq!(finding_lines(plan(&server, &declared)), [path], "{host}");
        }
    }
}

#[test]
fn control_characters_in_names_are_escaped() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("escapes");
    server.put_secret("hosts/escapes/db", &json!({ "key": "hunter2" }));
    let changes = json!({ "required_keys": ["\u{1b}[2Jgone"] });
    let declared = declarations("escapes", &[("db", secret("hosts/escapes/db", &changes))]);
    let output = plan(&server, &declared).run().assert_status(1);
    assert!(
        !output.stdout.contains('\u{1b}') && output.stdout.contains(r"\u{1b}[2J"),
        "{output}"
    );
}

#[test]
fn commands_are_safe_to_paste() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("paste");
    let changes = json!({ "required_keys": ["it's; rm -rf /"] });
    let declared = declarations("paste", &[("db", secret("hosts/paste/$(id) b", &changes))]);
    let output = plan(&server, &declared).run().assert_status(1);
    let command = r"bao kv put -mount=secret 'hosts/paste/$(id) b' 'it'\''s; rm -rf /'=…";
    output.assert_prints(command);
    for (openbao, command) in [
        (
            json!({ "kv_mount": "a;id" }),
            "bao secrets enable -path='a;id'",
        ),
        (
            json!({ "approle_mount": "a;id" }),
            "bao auth enable -path='a;id'",
        ),
    ] {
        let output = plan(&server, &with_openbao(declared.clone(), &openbao))
            .run()
            .assert_status(1);
        output.assert_prints(command);
    }
    let unmade = declarations("$(id)", &[("db", secret("hosts/paste/db", &json!({})))]);
    let output = plan(&server, &unmade).run().assert_status(1);
    output.assert_prints("create-host --hostname '$(id)'");
}

/// OpenBao has names of policies in lower case, and those in a role as they were written.
#[test]
fn policy_names_ignore_case() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("hosts/Capital/db", &json!({ "key": "hunter2" }));
    let text = "path \"secret/data/hosts/Capital/*\" {\n  capabilities = [\"read\"]\n}\n";
    sys::write_policy(&server.client(), "Host-Capital", text).unwrap();
    let role = json!({ "token_policies": ["Host-Capital"], "token_no_default_policy": true });
    approle::write_role(&server.client(), "approle", "Capital", &role).unwrap();
    server.issue_secret_id("Capital");
    let declared = declarations("Capital", &[("db", secret("hosts/Capital/db", &json!({})))]);
    let output = plan(&server, &declared).succeed();
    assert_eq!(output.stdout, "Capital: 1 secret, all there\n", "{output}");
}
