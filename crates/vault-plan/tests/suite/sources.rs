//! Declarations in files, and wrong usage.

use std::fs;

use serde_json::json;
use zts_testkit::{Run, scratch_dir};

use crate::site::{declarations, plan, plan_without_server, secret, shared_server};

/// Sets an address that the run never connects to.
fn with_unused_server(run: Run) -> Run {
    run.env("BAO_ADDR", "http://192.0.2.1:8200")
        .env("BAO_TOKEN", "s.x")
}

#[test]
fn several_files_and_hosts_by_name() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let folder = scratch_dir();
    for name in ["a1", "a2", "a3"] {
        server.add_host(name);
    }
    let host = |name: &str| declarations(name, &[]);
    fs::write(folder.join("one.json"), host("a1").to_string()).unwrap();
    let two = json!({ "a2": host("a2"), "a3": host("a3") });
    fs::write(folder.join("two.json"), two.to_string()).unwrap();
    let run = || {
        Run::new(env!("CARGO_BIN_EXE_vault-plan"))
            .current_dir(&*folder)
            .args(["--declarations", "one.json", "--declarations", "two.json"])
            .server(&server)
            .env("BAO_TOKEN", server.root_token())
    };
    insta::assert_snapshot!(run().succeed().stdout, @r"
    a1: declares no secrets
    a2: declares no secrets
    a3: declares no secrets

    3 hosts, 0 secrets: all there
    ");
    insta::assert_snapshot!(run().args(["a3", "a1"]).succeed().stdout, @r"
    a1: declares no secrets
    a3: declares no secrets

    2 hosts, 0 secrets: all there
    ");
    insta::assert_snapshot!(run().args(["a4"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no host `a4` in the files

    hint: there are `a1`, `a2`, `a3`
    ");
    insta::assert_snapshot!(run().args(["--declarations", "one.json"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `one.json` declares host `a1` a second time
    ");
}

#[test]
fn files_without_declarations_are_refused() {
    let mut lacking = declarations("web01", &[("db", secret("hosts/web01/db", &json!({})))]);
    lacking["secrets"]["db"]
        .as_object_mut()
        .unwrap()
        .remove("secret_path");
    for declared in [
        json!([]),
        lacking.clone(),
        json!({ "web01": lacking }),
        json!({ "web01": 1 }),
    ] {
        with_unused_server(plan_without_server(&declared))
            .fail(2, "`-` does not hold declarations of hosts");
    }
    insta::assert_snapshot!(with_unused_server(plan_without_server(&json!({ "web01": lacking }))).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `-` does not hold declarations of hosts: the declarations of host `web01`: missing field `secret_path`
    ");
    let absent =
        Run::new(env!("CARGO_BIN_EXE_vault-plan")).args(["--declarations", "/nonexistent"]);
    insta::assert_snapshot!(with_unused_server(absent).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: could not read `/nonexistent`: No such file or directory (os error 2)
    ");
}

#[test]
fn unknown_fields_are_ignored() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let mut declared = declarations("future", &[]);
    declared["novel"] = json!({ "a": 1 });
    declared["openbao"]["novel"] = json!(1);
    plan(&server, &declared).succeed();
}

#[test]
fn names_that_are_no_path_are_refused() {
    for (hostname, path) in [
        ("", "hosts/x"),
        ("..", "hosts/x"),
        ("web01/../db01", "hosts/x"),
        ("web01", "hosts//x"),
        ("web01", "../sys"),
        ("web01", "hosts/x\n"),
    ] {
        let declared = declarations(hostname, &[("db", secret(path, &json!({})))]);
        with_unused_server(plan_without_server(&declared)).fail(2, "cannot be a path in OpenBao");
    }
}

#[test]
fn an_address_and_a_token_are_required() {
    insta::assert_snapshot!(plan_without_server(&json!({})).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: OpenBao's address is not known

    hint: give it with `--address` or `BAO_ADDR`
    ");
    insta::assert_snapshot!(plan_without_server(&json!({})).env("BAO_ADDR", "http://192.0.2.1:8200").run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no OpenBao token to work with

    hint: run `bao login` first, or set `BAO_TOKEN`
    ");
    let both = plan_without_server(&json!({})).args(["--flake", "."]);
    both.fail(2, "cannot be used with");
}
