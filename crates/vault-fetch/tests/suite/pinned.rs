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
            Some(version) => pinned(&host, version).succeed_silently(),
            None => fetch.succeed_silently(),
        }
        assert!(has(&host, number), "{version:?}");
    }
    host.put(&json!({ "number": "4" }));
    pinned(&host, 3).succeed_silently();
    assert!(has(&host, "3"));
}

/// A copy stands in for its own version alone.
#[test]
fn the_copy_of_another_version_does_not_stand_in() {
    zts_testkit::require_bao!();
    let host = host("pinned-copy");
    let refused = zts_testkit::closed_port();
    pinned(&host, 2).succeed_silently();
    let cut_off = |version| {
        pinned(&host, version)
            .deadline("1s")
            .address(refused.address())
            .run()
    };
    cut_off(2).assert_success();
    cut_off(1).assert_status(1);
    assert!(has(&host, "2"));
    host.fetch()
        .cached()
        .deadline("1s")
        .address(refused.address())
        .run()
        .assert_status(1);
}

#[test]
fn a_version_that_openbao_no_longer_keeps_comes_from_the_copy() {
    zts_testkit::require_bao!();
    let host = host("pinned-and-dropped");
    pinned(&host, 2).succeed_silently();
    for number in 4..=13 {
        host.put(&json!({ "number": number.to_string() }));
    }
    std::fs::remove_dir_all(host.output()).unwrap();
    let output = pinned(&host, 2).succeed();
    assert!(has(&host, "2"));
    let told = format!(
        "OpenBao has no version 2 of `{0}`; the newest is 13; `{0}` comes from the cache",
        host.secret()
    );
    output.assert_reports(&told);
    let output = pinned(&host, 99).run().assert_status(1);
    output.assert_reports("hint: declare another `version`, or none for the newest");
}

/// Somebody has revoked it.
#[test]
fn a_deleted_version_is_removed_from_the_host() {
    zts_testkit::require_bao!();
    let host = host("pinned-and-deleted");
    pinned(&host, 3).succeed_silently();
    host.server.delete_version(&host.secret());
    pinned(&host, 3).fail(1, "version 3 of");
    assert!(!host.output().exists());
    pinned(&host, 2).succeed_silently();
    assert!(has(&host, "2"));
}
