//! A version that is pinned.

use serde_json::json;

use crate::host::{Fetch, Host, files};

fn pinned(host: &Host, version: u64) -> Fetch<'_> {
    let version = format!("--secret-version={version}");
    host.fetch().cached().args([version])
}

fn has(host: &Host, number: &str) -> bool {
    host.files() == files([("number", number)])
}

/// A host whose secret has the versions 1 to 3, with their numbers as values.
fn host(name: &str) -> Host {
    let host = Host::new(name);
    for number in 1..=3 {
        host.put(&json!({ "number": number.to_string() }));
    }
    host
}

#[test]
fn the_declared_version_is_written_whatever_was_there() {
    zts_testkit::require_bao!();
    let host = host("pinned");
    for (version, number) in [(Some(2), "2"), (None, "3"), (Some(1), "1"), (Some(3), "3")] {
        let fetch = host.fetch().cached();
        match version {
            Some(version) => pinned(&host, version).succeed(),
            None => fetch.succeed(),
        }
        assert!(has(&host, number), "{version:?}");
    }
    host.put(&json!({ "number": "4" }));
    pinned(&host, 3).succeed();
    assert!(has(&host, "3"));
}

/// A copy stands in for its own version alone.
#[test]
fn the_copy_of_another_version_does_not_stand_in() {
    zts_testkit::require_bao!();
    let host = host("pinned-copy");
    let refused = zts_testkit::closed_port();
    pinned(&host, 2).succeed();
    let cut_off = |version| {
        pinned(&host, version)
            .deadline("1s")
            .address(refused.address())
            .run()
    };
    assert_eq!(cut_off(2).code(), Some(0));
    let output = cut_off(1);
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(has(&host, "2"));
    let output = host
        .fetch()
        .cached()
        .deadline("1s")
        .address(refused.address())
        .run();
    assert_eq!(output.code(), Some(1), "{output}");
}

#[test]
fn a_version_that_openbao_no_longer_keeps_comes_from_the_copy() {
    zts_testkit::require_bao!();
    let host = host("pinned-and-dropped");
    pinned(&host, 2).succeed();
    for number in 4..=13 {
        host.put(&json!({ "number": number.to_string() }));
    }
    std::fs::remove_dir_all(host.output()).unwrap();
    let output = pinned(&host, 2).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(has(&host, "2"));
    let told = format!(
        "OpenBao has no version 2 of `{0}`; the newest is 13; `{0}` comes from the cache",
        host.secret()
    );
    assert!(output.stderr.contains(&told), "{output}");
    let output = pinned(&host, 99).run();
    assert_eq!(output.code(), Some(1), "{output}");
    let told = "hint: declare another `version`, or none for the newest";
    assert!(output.stderr.contains(told), "{output}");
}

/// Somebody has revoked it.
#[test]
fn a_deleted_version_is_removed_from_the_host() {
    zts_testkit::require_bao!();
    let host = host("pinned-and-deleted");
    pinned(&host, 3).succeed();
    host.server.delete_version(&host.secret());
    let output = pinned(&host, 3).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("version 3 of"), "{output}");
    assert!(!host.output().exists());
    pinned(&host, 2).succeed();
    assert!(has(&host, "2"));
}
