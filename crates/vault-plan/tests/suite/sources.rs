//! Declarations in files, and wrong usage.

use std::fs;

use serde_json::json;
use zts_testkit::{Run, scratch_dir};

use crate::site::{assert_status, declarations, plan, plan_without_server, secret, shared_server};

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
    insta::assert_snapshot!(assert_status(run(), 0).stdout, @r"
    a1: declares no secrets
    a2: declares no secrets
    a3: declares no secrets

    3 hosts, 0 secrets: all there
    ");
    insta::assert_snapshot!(assert_status(run().args(["a3", "a1"]), 0).stdout, @r"
    a1: declares no secrets
    a3: declares no secrets

    2 hosts, 0 secrets: all there
    ");
    insta::assert_snapshot!(assert_status(run().args(["a4"]), 2), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no host `a4` in the files

    hint: there are `a1`, `a2`, `a3`
    ");
    insta::assert_snapshot!(assert_status(run().args(["--declarations", "one.json"]), 2), @r"
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
        let output = assert_status(with_unused_server(plan_without_server(&declared)), 2);
        assert!(
            output
                .stderr
                .contains("`-` does not hold declarations of hosts"),
            "{output}"
        );
    }
    insta::assert_snapshot!(assert_status(with_unused_server(plan_without_server(&json!({ "web01": lacking }))), 2), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `-` does not hold declarations of hosts: the declarations of host `web01`: missing field `secret_path`
    ");
    let absent =
        Run::new(env!("CARGO_BIN_EXE_vault-plan")).args(["--declarations", "/nonexistent"]);
    insta::assert_snapshot!(assert_status(with_unused_server(absent), 2), @r"
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
    assert_status(plan(&server, &declared), 0);
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
        let output = assert_status(with_unused_server(plan_without_server(&declared)), 2);
        assert!(
            output.stderr.contains("cannot be a path in OpenBao"),
            "{output}"
        );
    }
}

#[test]
fn an_address_and_a_token_are_required() {
    insta::assert_snapshot!(assert_status(plan_without_server(&json!({})), 2), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: OpenBao's address is not known

    hint: give it with `--address` or `BAO_ADDR`
    ");
    insta::assert_snapshot!(assert_status(plan_without_server(&json!({})).env("BAO_ADDR", "http://192.0.2.1:8200"), 2), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no OpenBao token to work with

    hint: run `bao login` first, or set `BAO_TOKEN`
    ");
    let both = plan_without_server(&json!({})).args(["--flake", "."]);
    let output = assert_status(both, 2);
    assert!(output.stderr.contains("cannot be used with"), "{output}");
}
