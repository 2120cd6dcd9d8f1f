//! Owner, group and mode of the files.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use serde_json::json;

use zts_testkit::{is_root, mode};

use crate::host::{Host, files};

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
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving files away");
    let host = host("owners");
    let file = host.output().join("password");
    for (user, group, expected) in [
        ("daemon", "daemon", (1, 1)),
        ("1234", "2345", (1234, 2345)), // also one that has no name
        ("root", "0", (0, 0)),
    ] {
        host.fetch()
            .args(["--owner", user, "--group", group])
            .succeed_silently();
        assert_eq!(owner(&file), expected);
        // an owner of the directory could put a link in the place of a file
        assert_eq!(owner(&host.output()), (0, expected.1));
        let others = if expected.0 == 0 { "0500" } else { "0555" };
        assert_eq!(mode(&host.output()), others, "who may read may enter");
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
    host.fetch().args(["--group", "daemon"]).succeed_silently();
    assert_eq!(owner(&file), (0, 1), "without an owner it is who runs it");
}

#[test]
fn also_a_copy_from_the_cache_gets_its_owner() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving files away");
    let host = host("cached-owner").with_cached(&json!({ "password": "hunter2" }));
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().cached().address(refused.address());
    fetch.args(["--owner", "daemon", "--mode", "440"]).succeed();
    assert_eq!(owner(&host.output().join("password")).0, 1);
    assert_eq!(mode(&host.output().join("password")), "0440");
}

#[test]
fn an_owner_or_group_that_does_not_exist_fails_only_this_secret() {
    zts_testkit::require_bao!();
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
fn a_user_other_than_root_cannot_give_files_away() {
    zts_testkit::require_bao!();
    if is_root() {
        zts_testkit::skip!("this needs a user who is not root");
    }
    let host = host("not-root");
    host.fetch().args(["--owner", "0"]).run().assert_status(1);
    assert!(!host.output().exists());
}

#[test]
fn the_mode_is_that_of_the_files_and_opens_the_directory_for_those_who_may_read() {
    zts_testkit::require_bao!();
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
        host.fetch().args(["--mode", asked]).succeed_silently();
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
    zts_testkit::require_bao!();
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
fn the_umask_changes_nothing() {
    zts_testkit::require_bao!();
    for umask in ["0", "077"] {
        let host = host(&format!("umask-{umask}"));
        let command = format!("umask {umask}; exec \"$@\"");
        let run = host.fetch_in_shell(&command);
        let run = run
            .arg("--cache-dir")
            .arg(host.path("var/cache/db"))
            .server(&host.server);
        run.succeed();
        for (path, expected) in [
            ("secrets", "0711"),
            ("secrets/db/password", "0400"),
            ("secrets/.db.vault-fetch", "0700"),
            ("var", "0711"),
            ("var/cache", "0711"),
            ("var/cache/db", "0700"),
            ("var/cache/db/secret.json", "0600"),
        ] {
            assert_eq!(mode(&host.path(path)), expected, "{path}, umask {umask}");
        }
        assert_eq!(mode(&host.runtime_dir()), "0700", "umask {umask}");
    }
}

/// Returns the flags of a template.
fn with_template<'a>(host: &'a Host, flags: &[&str]) -> crate::host::Fetch<'a> {
    let source = host.path("conf.in");
    fs::write(&source, "{{ password }}").unwrap();
    let template = format!("app.conf={}", source.display());
    host.fetch().args(["--template", &template]).args(flags)
}

#[test]
fn a_template_may_have_a_mode_of_its_own() {
    zts_testkit::require_bao!();
    let host = host("template-mode");
    let of = |name: &str| mode(&host.output().join(name));
    let mine = if is_root() { '5' } else { '7' };
    for (asked, of_directory) in [("0440", "50"), ("0444", "55"), ("0400", "00")] {
        let flag = format!("app.conf={asked}");
        with_template(&host, &["--template-mode", &flag]).succeed_silently();
        assert_eq!(
            (of("app.conf"), of("password")),
            (asked.to_owned(), "0400".to_owned())
        );
        assert_eq!(mode(&host.output()), format!("0{mine}{of_directory}"));
        let before = fs::metadata(host.output()).unwrap().ino();
        with_template(&host, &["--template-mode", &flag]).succeed_silently();
        let after = fs::metadata(host.output()).unwrap().ino();
        assert_eq!(after, before, "what is right already is left alone");
    }
    with_template(&host, &[]).succeed_silently();
    assert_eq!(of("app.conf"), "0400");
}

#[test]
fn a_template_may_have_an_owner_and_a_group_of_its_own() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving files away");
    let host = host("template-owner");
    let of = |name: &str| owner(&host.output().join(name));
    let flags = ["--template-owner", "app.conf=1234"];
    with_template(&host, &flags).succeed_silently();
    assert_eq!((of("app.conf"), of("password")), ((1234, 0), (0, 0)));
    assert_eq!(mode(&host.output()), "0555", "its owner has to enter");
    // to the directory of the secret's group, members of another one are others
    let flags = [
        ["--group", "2345"],
        ["--template-group", "app.conf=3456"],
        ["--template-mode", "app.conf=0440"],
    ];
    with_template(&host, &flags.concat()).succeed_silently();
    assert_eq!((of("app.conf"), of("password")), ((0, 3456), (0, 2345)));
    assert_eq!(owner(&host.output()), (0, 2345));
    assert_eq!(mode(&host.output()), "0555");
    // the group alone, without the right to read, opens nothing
    let flags = ["--template-group", "app.conf=3456"];
    with_template(&host, &flags).succeed_silently();
    assert_eq!(mode(&host.output()), "0500");
}

#[test]
fn an_owner_of_no_template_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = host("no-template");
    for (flags, why) in [
        (
            ["--template-owner", "other=root"],
            "there is no such template",
        ),
        (["--template-mode", "app.conf=0666"], "everybody may write"),
        (["--template-mode", "app.conf=rw"], "octal"),
        (["--template-group", "app.conf"], "NAME=VALUE"),
        (
            ["--template-owner", "app.conf=nobody-of-this-name"],
            "does not exist",
        ),
    ] {
        with_template(&host, &flags).fail(2, why);
    }
    let twice = [
        "--template-owner",
        "app.conf=0",
        "--template-owner",
        "app.conf=1",
    ];
    let output = with_template(&host, &twice).run();
    output.assert_reports("names `app.conf` twice");
    assert!(!host.output().exists());
}
