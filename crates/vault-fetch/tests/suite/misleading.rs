//! Faults that look like other ones: each has its own message.

use std::fs;

use serde_json::json;
use zts_openbao::{approle, sys};
use zts_testkit::Server;

use crate::host::{Host, files};

/// The secret exists, in an engine without versions. It does not count as deleted, and nothing is
/// removed from the host.
#[test]
fn kv_version_1_is_told() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::dev(), "kv-one");
    host.put(&json!({ "password": "hunter2" }));
    host.fetch().succeed_silently();
    let mount = json!({ "type": "kv", "options": { "version": "1" } });
    host.server.write("sys/mounts/old", &mount);
    host.server
        .write("old/hosts/kv-one/db", &json!({ "password": "hunter2" }));
    let policy = r#"path "old/data/hosts/kv-one/*" { capabilities = ["read"] }"#;
    sys::write_policy(&host.server.client(), "host-kv-one", policy).unwrap();
    for login in ["auto", "login"] {
        let fetch = host.fetch().args(["--kv-mount", "old"]);
        let output = fetch.args(["--authentication", login]).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output, @"
            exit status: 1
            ----- stdout -----
            ----- stderr -----
            error: `hosts/kv-one/db` was not written: the secrets engine at `old/` is KV version 1, not 2

            hint: make it version 2 with `bao kv enable-versioning old`
            ");
        }
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

fn with_role(name: &str, parameter: &str, value: &serde_json::Value) -> Host {
    let host = Host::on(Server::dev(), name);
    host.put(&json!({ "password": "hunter2" }));
    let settings = json!({ "token_type": "service", parameter: value });
    approle::write_role(&host.server.client(), "approle", name, &settings).unwrap();
    host
}

#[test]
fn a_limit_on_the_uses_of_tokens_is_reported_by_its_parameter() {
    zts_testkit::require_bao!();
    let host = with_role("few-uses", "token_num_uses", &json!(1));
    host.fetch().deadline("1s").fail(1, "`token_num_uses`");
    host.fetch()
        .args(["--authentication", "login"])
        .succeed_silently();
}

#[test]
fn tokens_that_are_bound_to_another_address_are_reported_by_the_parameter() {
    zts_testkit::require_bao!();
    let host = with_role("bound-token", "token_bound_cidrs", &json!(["10.9.9.9/32"]));
    for login in ["auto", "inline", "login"] {
        host.fetch()
            .args(["--authentication", login])
            .fail(1, "`token_bound_cidrs`");
    }
}

#[test]
fn a_server_that_was_never_initialised_is_not_called_sealed() {
    zts_testkit::require_bao!();
    let server = Server::builder().start_uninitialised();
    let folder = zts_testkit::scratch_dir();
    fs::create_dir(folder.join("approle")).unwrap();
    for name in ["role-id", "secret-id"] {
        fs::write(
            folder.join("approle").join(name),
            "00000000-0000-0000-0000-000000000000",
        )
        .unwrap();
    }
    for login in ["auto", "login"] {
        let output = zts_testkit::Run::new(env!("CARGO_BIN_EXE_vault-fetch"))
            .args(["--approle-dir".as_ref(), folder.join("approle").as_os_str()])
            .args(["--runtime-dir".as_ref(), folder.join("notes").as_os_str()])
            .args(["--authentication", login, "--deadline", "1s", "hosts/a/db"])
            .arg(folder.join("secrets/db"))
            .server(&server)
            .run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output, @r"
            exit status: 1
            ----- stdout -----
            ----- stderr -----
            error: `hosts/a/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is not initialised; no cache available

            hint: initialise it with `bao operator init`; see `docs/runbook/no-cache.md`
            ");
        }
    }
}
