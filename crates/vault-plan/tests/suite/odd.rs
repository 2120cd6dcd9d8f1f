//! Names that are not what one expects.

use openbao::{approle, sys};
use serde_json::json;

use crate::site::{declarations, ends, plan, secret, shared_server, told};

#[test]
fn odd_names_are_asked_for_as_they_are() {
    testkit::require_bao!();
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
            assert_eq!(told(plan(&server, &declared)), [""; 0], "{host}");
        } else {
            // OpenBao takes no role of that name
            let path = format!("denied role auth/approle/role/{host}");
            assert_eq!(told(plan(&server, &declared)), [path], "{host}");
        }
    }
}

#[test]
fn names_do_not_steer_a_terminal() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("escapes");
    server.put_secret("hosts/escapes/db", &json!({ "key": "hunter2" }));
    let changes = json!({ "required_keys": ["\u{1b}[2Jgone"] });
    let declared = declarations("escapes", &[("db", secret("hosts/escapes/db", &changes))]);
    let output = ends(plan(&server, &declared), 1);
    assert!(
        !output.stdout.contains('\u{1b}') && output.stdout.contains(r"\u{1b}[2J"),
        "{output}"
    );
}

#[test]
fn commands_are_safe_to_paste() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("paste");
    let changes = json!({ "required_keys": ["it's; rm -rf /"] });
    let declared = declarations("paste", &[("db", secret("hosts/paste/$(id) b", &changes))]);
    let output = ends(plan(&server, &declared), 1);
    let command = r"bao kv put -mount=secret 'hosts/paste/$(id) b' 'it'\''s; rm -rf /'=…";
    assert!(output.stdout.contains(command), "{output}");
}
