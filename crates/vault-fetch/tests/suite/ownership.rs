//! Owner, group and mode of the files.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use serde_json::json;

use crate::host::{Host, files, is_root, mode};

fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.put(&json!({ "password": "hunter2" }));
    host
}

fn owner(path: &Path) -> (u32, u32) {
    let data = fs::symlink_metadata(path).unwrap();
    (data.uid(), data.gid())
}

#[test]
fn owner_and_group_by_name_and_by_number() {
    testkit::require_bao!();
    if !is_root() {
        testkit::skip!("giving files away needs root");
    }
    let host = host("owners");
    let file = host.output().join("password");
    for (user, group, expected) in [
        ("daemon", "daemon", (1, 1)),
        ("1234", "2345", (1234, 2345)), // also one that has no name
        ("root", "0", (0, 0)),
    ] {
        host.fetch()
            .args(["--owner", user, "--group", group])
            .succeed();
        assert_eq!(owner(&file), expected);
        // an owner of the directory could put a link in the place of a file
        assert_eq!(owner(&host.output()), (0, expected.1));
        let others = if expected.0 == 0 { "0500" } else { "0555" };
        assert_eq!(mode(&host.output()), others, "who may read may enter");
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
    host.fetch().args(["--group", "daemon"]).succeed();
    assert_eq!(owner(&file), (0, 1), "without an owner it is who runs it");
}

#[test]
fn also_a_copy_from_the_cache_gets_its_owner() {
    testkit::require_bao!();
    if !is_root() {
        testkit::skip!("giving files away needs root");
    }
    let host = host("cached-owner").with_cached(&json!({ "password": "hunter2" }));
    let refused = testkit::refused_address();
    let fetch = host.fetch().cached().address(refused.address());
    let output = fetch.args(["--owner", "daemon", "--mode", "440"]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(owner(&host.output().join("password")).0, 1);
    assert_eq!(mode(&host.output().join("password")), "0440");
}

#[test]
fn an_owner_or_group_that_does_not_exist_is_this_secrets_trouble() {
    testkit::require_bao!();
    let host = host("no-owner");
    insta::assert_snapshot!(host.fetch().args(["--owner", "nobody-of-this-name"]).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/no-owner/db` was not written: the user `nobody-of-this-name` does not exist on this host

    hint: create it, or name another with `--owner` and `--group`
    ");
    insta::assert_snapshot!(host.fetch().args(["--group", "no such group"]).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/no-owner/db` was not written: the group `no such group` does not exist on this host

    hint: create it, or name another with `--owner` and `--group`
    ");
    for wrong in ["", "-1", "4294967295", "4294967296", "ro\not"] {
        let output = host.fetch().args([format!("--owner={wrong}")]).run();
        assert_eq!(output.code(), Some(2), "{wrong:?}: {output}");
        let output = host.fetch().args([format!("--group={wrong}")]).run();
        assert_eq!(output.code(), Some(2), "{wrong:?}: {output}");
    }
    assert!(!host.output().exists());
}

#[test]
fn somebody_who_is_not_root_cannot_give_files_away() {
    testkit::require_bao!();
    if is_root() {
        testkit::skip!("this needs a user who is not root");
    }
    let host = host("not-root");
    let output = host.fetch().args(["--owner", "0"]).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(!host.output().exists());
}

#[test]
fn the_mode_is_that_of_the_files_and_opens_the_directory_for_those_who_may_read() {
    testkit::require_bao!();
    let host = host("modes");
    let mine = if is_root() { '5' } else { '7' };
    for (asked, of_files, of_directory) in [
        ("0400", "0400", "00"),
        ("440", "0440", "50"),
        ("0640", "0640", "50"),
        ("0444", "0444", "55"),
        ("600", "0600", "00"),
        ("0", "0000", "00"),
    ] {
        host.fetch().args(["--mode", asked]).succeed();
        assert_eq!(mode(&host.output().join("password")), of_files);
        assert_eq!(
            mode(&host.output()),
            format!("0{mine}{of_directory}"),
            "{asked}"
        );
    }
}

#[test]
fn a_mode_that_is_none_is_wrong_usage() {
    testkit::require_bao!();
    let host = host("bad-mode");
    for wrong in [
        "",
        "rw",
        "999",
        "0666",
        "1777",
        "4755",
        "-400",
        "0o400",
        "40000000000",
    ] {
        let output = host.fetch().args([format!("--mode={wrong}")]).run();
        assert_eq!(output.code(), Some(2), "{wrong}: {output}");
    }
    insta::assert_snapshot!(host.fetch().args(["--mode", "0666"]).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value '0666' for '--mode <MODE>': a secret that everybody may write is none

    For more information, try '--help'.
    ");
}

#[test]
fn the_umask_of_whoever_starts_it_changes_nothing() {
    testkit::require_bao!();
    let host = host("umask");
    let run = testkit::Run::new("/bin/sh").args(["-c", "umask 0; exec \"$@\"", "sh"]);
    let run = run
        .arg(env!("CARGO_BIN_EXE_vault-fetch"))
        .arg(host.secret());
    let run = run
        .arg(host.output())
        .arg("--approle-dir")
        .arg(host.path("approle"));
    let run = run
        .arg("--cache-dir")
        .arg(host.cache())
        .server(&host.server);
    let output = run.run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(mode(&host.output().join("password")), "0400");
    assert_eq!(mode(&host.cache()), "0700");
    assert_eq!(mode(&host.cached_copy()), "0600");
    assert_eq!(mode(&host.path("secrets/.db.vault-fetch")), "0700");
}
