//! The names that keys give to files.

use serde_json::{Map, json};

use crate::host::{Host, files};

#[test]
fn changed_added_and_removed_keys_arrive_together() {
    zts_testkit::require_bao!();
    let host = Host::new("keys-change");
    host.put(&json!({ "kept": "same", "changed": "old", "removed": "gone" }));
    host.fetch().succeed_silently();
    host.put(&json!({ "kept": "same", "changed": "new", "added": "here" }));
    host.fetch().succeed_silently();
    assert_eq!(
        host.files(),
        files([("added", "here"), ("changed", "new"), ("kept", "same")])
    );
}

#[test]
fn a_secret_that_lost_all_its_keys_is_an_empty_directory() {
    zts_testkit::require_bao!();
    let host = Host::new("no-keys");
    host.put(&json!({ "password": "hunter2" }));
    host.fetch().cached().succeed_silently();
    host.put(&json!({}));
    host.fetch().cached().succeed_silently();
    assert!(host.output().is_dir());
    assert_eq!(host.files(), files([]));
}

#[test]
fn odd_names_that_are_file_names_are_taken_as_they_are() {
    zts_testkit::require_bao!();
    let host = Host::new("odd-names");
    let longest = "x".repeat(255);
    let names = [
        ".env",
        "-rf",
        "...",
        "..x",
        "päßwort",
        "密码",
        "a b",
        "tab\there",
        "line\nbreak",
        "a\\b",
        "*",
        "$HOME",
        "new",
        "written",
        "Case",
        "case",
        &longest,
        "\u{202e}gnp.exe",
        "🔑",
    ];
    let values: Map<_, _> = names
        .map(|name| (name.to_owned(), json!(name)))
        .into_iter()
        .collect();
    host.put(&values.into());
    host.fetch().cached().succeed_silently();
    assert_eq!(host.files(), files(names.map(|name| (name, name))));
}

#[test]
fn names_that_lead_elsewhere_are_refused_before_anything_is_written() {
    zts_testkit::require_bao!();
    let host = Host::new("bad-names").with_cached(&json!({ "password": "hunter2" }));
    let too_long = "x".repeat(300);
    let too_long_in_bytes = "ü".repeat(128);
    let mut said = String::new();
    for name in [
        "../x",
        "a/b",
        "/etc/x",
        "",
        ".",
        "..",
        "a\0b",
        "a/",
        &too_long,
        &too_long_in_bytes,
    ] {
        host.put(&json!({ "a-first-key": "never-written", name: "nor-this-one" }));
        let output = host.fetch().cached().run();
        assert_eq!(output.code(), Some(1), "{name:?}: {output}");
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
        assert_eq!(host.files(), files([("password", "hunter2")]), "{name:?}");
        assert!(host.files_with("never-written").is_empty(), "{name:?}");
    }
    insta::assert_snapshot!(said, @r#"
    error: `hosts/bad-names/db` was not written: the key "../x" of `hosts/bad-names/db` cannot be the name of a file: it has a `/`
    error: `hosts/bad-names/db` was not written: the key "a/b" of `hosts/bad-names/db` cannot be the name of a file: it has a `/`
    error: `hosts/bad-names/db` was not written: the key "/etc/x" of `hosts/bad-names/db` cannot be the name of a file: it has a `/`
    error: `hosts/bad-names/db` was not written: the key "" of `hosts/bad-names/db` cannot be the name of a file: it is empty
    error: `hosts/bad-names/db` was not written: the key "." of `hosts/bad-names/db` cannot be the name of a file: it names a directory
    error: `hosts/bad-names/db` was not written: the key ".." of `hosts/bad-names/db` cannot be the name of a file: it names a directory
    error: `hosts/bad-names/db` was not written: the key "a\0b" of `hosts/bad-names/db` cannot be the name of a file: it has a NUL character
    error: `hosts/bad-names/db` was not written: the key "a/" of `hosts/bad-names/db` cannot be the name of a file: it has a `/`
    error: `hosts/bad-names/db` was not written: the key "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" of `hosts/bad-names/db` cannot be the name of a file: it is longer than 255 bytes
    error: `hosts/bad-names/db` was not written: the key "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü" of `hosts/bad-names/db` cannot be the name of a file: it is longer than 255 bytes
    "#);
}

#[test]
fn a_refused_name_has_a_hint() {
    zts_testkit::require_bao!();
    let host = Host::new("bad-name");
    host.put(&json!({ "../../etc/passwd": "root::0:0" }));
    insta::assert_snapshot!(host.fetch().run(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/bad-name/db` was not written: the key "../../etc/passwd" of `hosts/bad-name/db` cannot be the name of a file: it has a `/`

    hint: rename the key in OpenBao: each key becomes a file
    "#);
    assert!(!host.output().exists());
}

#[test]
fn secrets_whose_paths_differ_by_case_are_two() {
    zts_testkit::require_bao!();
    let host = Host::new("case");
    host.server
        .put_secret("hosts/case/Db", &json!({ "password": "upper" }));
    host.server
        .put_secret("hosts/case/db", &json!({ "password": "lower" }));
    host.fetch_of("hosts/case/Db").cached().succeed_silently();
    assert_eq!(host.files(), files([("password", "upper")]));
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch_of("hosts/case/db").cached();
    let output = fetch.address(refused.address()).deadline("2s").run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is of another secret: `/secret/hosts/case/Db`
    error: `hosts/case/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
}

#[test]
fn keys_that_are_no_credentials_are_refused_before_the_service_fails() {
    zts_testkit::require_bao!();
    let host = Host::new("as-credential");
    let longest = "x".repeat(253);
    for key in [".env", "schlüssel", "a:b", &longest] {
        host.put(&json!({ key: "hunter2" }));
        host.fetch().succeed_silently();
        let output = host
            .fetch()
            .args(["--as-credential", "db"])
            .run()
            .assert_status(1);
        let said =
            format!("the key {key:?} of `hosts/as-credential/db` cannot be a systemd credential");
        output.assert_reports(&said);
    }
    host.put(&json!({ "large": "x".repeat(1 << 20) }));
    host.fetch()
        .args(["--as-credential", "db"])
        .fail(1, "systemd takes 1048576");
    host.put(&json!({ "a key": "hunter2", "tls.crt": "hunter2" }));
    host.fetch()
        .args(["--as-credential", "db"])
        .succeed_silently();
    host.fetch()
        .args(["--as-credential", "db", "--environment-file", ".env"])
        .run()
        .assert_status(2);
}
