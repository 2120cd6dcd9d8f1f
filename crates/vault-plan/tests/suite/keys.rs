//! Keys that a host needs or cannot use.

use serde_json::json;

use crate::site::{declarations, findings, plan, secret, shared_server};

#[test]
fn missing_and_empty_keys_are_found() {
    zts_testkit::require_bao!();
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
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 1
    ----- stdout -----
    keys: 1 secret
      keys: db: `hosts/keys/db` has nothing in its key `empty` (it is required); bao kv patch -mount=secret hosts/keys/db empty=…
      keys: db: `hosts/keys/db` has nothing in its key `null` (it is required); bao kv patch -mount=secret hosts/keys/db null=…
      keys: db: `hosts/keys/db` has no key `it's` (the template `b.conf` needs it); bao kv patch -mount=secret hosts/keys/db 'it'\''s'=…
      keys: db: `hosts/keys/db` has no key `password` (the template `app.json` needs it, the template `b.conf` needs it); bao kv patch -mount=secret hosts/keys/db password=…
      keys: db: `hosts/keys/db` has no key `tls.crt` (it is required); bao kv patch -mount=secret hosts/keys/db tls.crt=…
      keys: db: line 2 of the template `broken`: `{{` without `}}` on the same line

    1 host, 1 secret: 6 key findings
    ----- stderr -----
    error: 6 findings of the kinds `missing`, `keys` and `denied`
    ");
}

#[test]
fn keys_that_the_host_would_refuse_are_found() {
    zts_testkit::require_bao!();
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
    let output = plan(&server, &declared).run().assert_status(1);
    insta::assert_snapshot!(output, @r#"
    exit status: 1
    ----- stdout -----
    refusals: 1 secret
      keys: env: a template cannot be named `taken.conf`: a key of `hosts/refusals/env` has that name
      keys: env: the key "ALIEN" of `hosts/refusals/env` cannot be in an environment file: its value has a character that is not for exchange (a Unicode noncharacter)
      keys: env: the key "a/b" of `hosts/refusals/env` cannot be the name of a file: it has a `/`
      keys: env: the key "not-a-name" of `hosts/refusals/env` cannot be in an environment file: a variable's name has letters, digits and `_` only
      keys: env: the key "taken.conf" of `hosts/refusals/env` cannot be in an environment file: a variable's name has letters, digits and `_` only

    1 host, 1 secret: 5 key findings
    ----- stderr -----
    error: 5 findings of the kinds `missing`, `keys` and `denied`
    "#);
}

#[test]
fn values_in_another_encoding_are_found() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("encodings");
    server.put_secret(
        "hosts/encodings/app",
        &json!({ "good.p12": "AP8K", "bad.p12": "hunter-2", "inner": "hunter-3" }),
    );
    let changes = json!({
        "encoding": { "good.p12": "base64", "bad.p12": "base64", "gone.p12": "base64" },
        "templates": { "conf": "{{ inner | base64decode }}" },
    });
    let declared = declarations(
        "encodings",
        &[("app", secret("hosts/encodings/app", &changes))],
    );
    let output = plan(&server, &declared).run().assert_status(1);
    for finding in [
        "`hosts/encodings/app` has no key `gone.p12` (it is required)",
        "the key \"bad.p12\" of `hosts/encodings/app` is not Base64",
        "the key \"inner\" of `hosts/encodings/app` is not Base64",
    ] {
        output.assert_prints(finding);
    }
    output.assert_prints("1 secret: 3 key findings");
    output.assert_lacks("hunter");
}

#[test]
fn json_has_needed_by() {
    zts_testkit::require_bao!();
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
fn invalid_credentials_are_found() {
    zts_testkit::require_bao!();
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
        let output = plan(&server, &declared)
            .run()
            .assert_status(i32::from(as_credential));
        let lines = output
            .stdout
            .matches("cannot be a systemd credential")
            .count();
        assert_eq!(lines, count, "{output}");
        output.assert_lacks("hunter2");
    }
}

/// systemd passes one of two credentials with the same name, without an error.
#[test]
fn credentials_of_the_same_name_are_found() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("twice");
    let values = json!({ "replica_password": "hunter2", "user": "hunter2" });
    server.put_secret("hosts/twice/db", &values);
    server.put_secret("hosts/twice/replica", &json!({ "password": "hunter2" }));
    let declared = |db: &serde_json::Value, replica: &serde_json::Value| {
        declarations(
            "twice",
            &[
                ("db", secret("hosts/twice/db", db)),
                ("db_replica", secret("hosts/twice/replica", replica)),
            ],
        )
    };
    let to = |services: &[&str]| json!({ "as_credential": true, "services": services });
    let app = to(&["app.service"]);
    insta::assert_snapshot!(plan(&server, &declared(&app, &app)).run(), @r"
    exit status: 1
    ----- stdout -----
    twice: 2 secrets
      keys: db_replica: `password` of `db_replica` and `replica_password` of `db` are one credential to `app.service`, `db_replica_password`: systemd passes only one of them; rename `db_replica` in the host's configuration, or one of the keys

    1 host, 2 secrets: 1 key finding
    ----- stderr -----
    error: 1 finding of the kinds `missing`, `keys` and `denied`
    ");
    for other in [
        to(&["other.service"]),
        json!({ "services": ["app.service"] }),
    ] {
        plan(&server, &declared(&app, &other)).succeed();
    }
    let template = json!({
        "as_credential": true, "services": ["app.service"], "templates": { "user": "{{ password }}" },
    });
    let named = json!({
        "as_credential": true, "services": ["app.service"], "environment_file": "replica_user",
    });
    let output = plan(&server, &declared(&named, &template))
        .run()
        .assert_status(1);
    assert_eq!(
        output.stdout.matches("are one credential").count(),
        2,
        "{output}"
    );
}

#[test]
fn keys_that_a_template_of_several_secrets_needs_are_found() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("shared");
    server.put_secret(
        "hosts/shared/db",
        &json!({ "user": "hunter2", "keystore": "no_Base64" }),
    );
    let needs = json!({ "template_keys": { "app": ["user", "password | url", "keystore | base64decode"] } });
    let declared = declarations("shared", &[("db", secret("hosts/shared/db", &needs))]);
    insta::assert_snapshot!(plan(&server, &declared).run(), @r#"
    exit status: 1
    ----- stdout -----
    shared: 1 secret
      keys: db: `hosts/shared/db` has no key `password` (the template `app` needs it); bao kv patch -mount=secret hosts/shared/db password=…
      keys: db: the key "keystore" of `hosts/shared/db` is not Base64: it has characters other than letters, digits, `+`, `/`, and `=` at the end

    1 host, 1 secret: 2 key findings
    ----- stderr -----
    error: 2 findings of the kinds `missing`, `keys` and `denied`
    "#);
}
