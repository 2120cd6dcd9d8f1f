//! Keys that a host needs or cannot use.

use serde_json::json;

use crate::site::{declarations, ends, findings, plan, secret, shared_server};

#[test]
fn keys_of_templates_and_required_ones_must_be_there_and_not_empty() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("keys");
    server.put_secret(
        "hosts/keys/db",
        &json!({ "user": "hunter2", "empty": "", "null": null, "zero": 0, "extra key": "x" }),
    );
    let declared = declarations(
        "keys",
        &[(
            "db",
            secret(
                "hosts/keys/db",
                &json!({
                    "required_keys": ["user", "empty", "null", "zero", "tls.crt"],
                    "templates": {
                        "app.json": "{ \"user\": {{ user | json }}, \"password\": {{ password | json }} }",
                        "b.conf": "{{password}} {{ it's }} {{ \"{{\" }}",
                        "broken": "\n{{ user",
                    },
                }),
            ),
        )],
    );
    insta::assert_snapshot!(ends(plan(&server, &declared), 1), @r"
    exit status: 1
    ----- stdout -----
    keys: 1 secret
      keys: db: `hosts/keys/db` has nothing in its key `empty` (it is required); bao kv patch -mount=secret hosts/keys/db empty=…
      keys: db: `hosts/keys/db` has nothing in its key `null` (it is required); bao kv patch -mount=secret hosts/keys/db null=…
      keys: db: `hosts/keys/db` has no key `it's` (the template `b.conf` needs it); bao kv patch -mount=secret hosts/keys/db 'it'\''s'=…
      keys: db: `hosts/keys/db` has no key `password` (the template `app.json` needs it, the template `b.conf` needs it); bao kv patch -mount=secret hosts/keys/db password=…
      keys: db: `hosts/keys/db` has no key `tls.crt` (it is required); bao kv patch -mount=secret hosts/keys/db tls.crt=…
      keys: db: line 2 of the template `broken`: `{{` without `}}` on the same line

    1 host, 1 secret: 6 keys
    ----- stderr -----
    error: 6 findings of the kinds `missing`, `keys` and `denied`
    ");
}

#[test]
fn what_the_host_would_refuse_is_told_before_it_does() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("refusals");
    server.put_secret(
        "hosts/refusals/env",
        &json!({ "GOOD": "hunter2", "not-a-name": "x", "ALIEN": "\u{fdd0}", "a/b": "x", "taken.conf": "x" }),
    );
    let declared = declarations(
        "refusals",
        &[(
            "env",
            secret(
                "hosts/refusals/env",
                &json!({
                    "environment_file": "env",
                    "required_keys": ["a/b", "not-a-name"],
                    "templates": { "taken.conf": "{{ GOOD }}" },
                }),
            ),
        )],
    );
    let output = ends(plan(&server, &declared), 1);
    insta::assert_snapshot!(output, @r#"
    exit status: 1
    ----- stdout -----
    refusals: 1 secret
      keys: env: a template cannot be named `taken.conf`: a key of `hosts/refusals/env` has that name
      keys: env: the key "ALIEN" of `hosts/refusals/env` cannot stand in an environment file: its value has a character that is not for exchange (a Unicode noncharacter)
      keys: env: the key "a/b" of `hosts/refusals/env` cannot be the name of a file: it has a `/`
      keys: env: the key "not-a-name" of `hosts/refusals/env` cannot stand in an environment file: a variable's name has letters, digits and `_` only
      keys: env: the key "taken.conf" of `hosts/refusals/env` cannot stand in an environment file: a variable's name has letters, digits and `_` only

    1 host, 1 secret: 5 keys
    ----- stderr -----
    error: 5 findings of the kinds `missing`, `keys` and `denied`
    "#);
}

#[test]
fn json_tells_what_needs_a_key() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("needs");
    server.put_secret("hosts/needs/db", &json!({ "user": "hunter2" }));
    let changes = json!({
        "required_keys": ["password"],
        "templates": { "a": "{{ password }}", "b": "{{ password | url }}", "c": "{{ user }}" },
    });
    let declared = declarations("needs", &[("db", secret("hosts/needs/db", &changes))]);
    let found = findings(plan(&server, &declared));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["key"], "password");
    assert_eq!(found[0]["needed_by"], json!(["required", "a", "b"]));
}

#[test]
fn what_systemd_takes_as_no_credential_is_told_before_the_service_fails() {
    testkit::require_bao!();
    let server = shared_server();
    server.add_host("handed");
    let values = json!({ ".env": "hunter2", "a:b": "hunter2", "good": "hunter2" });
    server.put_secret("hosts/handed/app", &values);
    for (as_credential, count) in [(true, 2), (false, 0)] {
        let declared = declarations(
            "handed",
            &[(
                "app",
                secret(
                    "hosts/handed/app",
                    &json!({ "as_credential": as_credential }),
                ),
            )],
        );
        let output = ends(plan(&server, &declared), i32::from(as_credential));
        let said = output
            .stdout
            .matches("cannot be a systemd credential")
            .count();
        assert_eq!(said, count, "{output}");
        assert!(!output.stdout.contains("hunter2"), "{output}");
    }
}
