//! Disks that are full or read-only.

use std::{collections::BTreeMap, fs};

use serde_json::json;
use zts_testkit::{FILE_CALLS, FailingCall, ReadOnlyDir, Tmpfs, is_root, names};

use crate::host::{Host, files, files_in};

/// A value that is too large for the free space of the disk.
fn large() -> serde_json::Value {
    json!({ "a": "small", "b": "too-large-".repeat(20_000) })
}

#[test]
fn a_full_disk_keeps_the_old_set_and_leaves_no_drafts() {
    zts_testkit::require_bao!();
    let host = Host::new("full-output");
    let Some(disk) = Tmpfs::mount(128 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    let output = disk.path().join("db");
    host.put(&json!({ "password": "hunter2" }));
    host.fetch().to(&output).succeed_silently();
    let before = names(&disk.path().join(".db.vault-fetch"));
    host.put(&large());
    insta::assert_snapshot!(host.fetch().to(&output).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/full-output/db` was not written: could not write `[temporary]/tmpfs/.db.vault-fetch/new/b`: No space left on device (os error 28)
    ");
    assert_eq!(files_in(&output), files([("password", "hunter2")]));
    assert_eq!(names(&disk.path().join(".db.vault-fetch")), before);

    disk.fill();
    host.put(&json!({ "password": "hunter3" }));
    host.fetch().to(&output).run().assert_status(1);
    assert_eq!(files_in(&output), files([("password", "hunter2")]));
    fs::remove_file(disk.path().join("filler")).unwrap();
    host.fetch().to(&output).succeed_silently();
    assert_eq!(files_in(&output), files([("password", "hunter3")]));
}

#[test]
fn a_disk_that_is_full_from_the_start_gets_nothing() {
    zts_testkit::require_bao!();
    let host = Host::new("full-first");
    let Some(disk) = Tmpfs::mount(128 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    disk.fill();
    host.put(&json!({ "password": "hunter2" }));
    host.fetch()
        .to(disk.path().join("db"))
        .run()
        .assert_status(1);
    assert!(!disk.path().join("db").exists());
}

#[test]
fn a_full_cache_disk_keeps_the_old_copy_and_the_secret_is_written() {
    zts_testkit::require_bao!();
    let host = Host::new("full-cache");
    let Some(disk) = Tmpfs::mount(128 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    let cache = disk.path().join("cache");
    let cached = || {
        host.fetch()
            .args(["--cached-deadline", "5s"])
            .args(["--cache-dir".as_ref(), cache.as_os_str()])
    };
    host.put(&json!({ "password": "hunter2" }));
    cached().succeed_silently();
    host.put(&large());
    insta::assert_snapshot!(cached().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: `hosts/full-cache/db` was written, but no copy could be kept: could not write `[temporary]/tmpfs/cache/secret.json`: No space left on device (os error 28)
    ");
    assert_eq!(host.files()["a"], "small", "the job is done");
    assert_eq!(names(&cache), ["secret.json"], "no litter");

    let refused = zts_testkit::closed_port();
    cached().address(refused.address()).succeed();
    assert_eq!(
        host.files(),
        files([("password", "hunter2")]),
        "the old copy is whole"
    );
}

#[test]
fn a_read_only_directory_is_reported() {
    zts_testkit::require_bao!();
    let host = Host::new("read-only");
    host.put(&json!({ "password": "hunter2" }));
    let place = ReadOnlyDir::new(|_| {});
    host.fetch()
        .to(place.path().join("db"))
        .fail(1, "could not make `");
    assert!(names(place.path()).is_empty());
}

#[test]
fn a_read_only_cache_is_reported_and_the_secret_is_written() {
    zts_testkit::require_bao!();
    let host = Host::new("read-only-cache");
    host.put(&json!({ "password": "hunter2" }));
    let place = ReadOnlyDir::new(|_| {});
    let itself = is_root().then(|| place.path().to_owned()); // else a folder that testkit has locked
    for cache in itself.into_iter().chain([place.path().join("cache")]) {
        host.fetch()
            .args(["--cache-dir".as_ref(), cache.as_os_str()])
            .succeed()
            .assert_reports("no copy could be kept");
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

#[test]
fn a_copy_on_a_disk_that_became_read_only_still_stands_in() {
    zts_testkit::require_bao!();
    let host = Host::new("read-only-copy").with_cached(&json!({ "password": "hunter2" }));
    fs::remove_dir_all(host.output()).unwrap();
    let place = ReadOnlyDir::new(|place| {
        fs::copy(host.cached_copy(), place.join("secret.json")).unwrap();
    });
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().address(refused.address());
    fetch
        .args(["--cache-dir".as_ref(), place.path().as_os_str()])
        .succeed();
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

/// A set with the value `password`.
fn set(password: &str) -> BTreeMap<String, String> {
    files([("password", password), ("user", "app")])
}

/// Makes each system call of a fetch fail in turn. A failed fetch changes nothing, so the next one
/// begins where it began.
fn assert_each_set_is_whole(host: &Host, flags: &[&str]) {
    let refused = zts_testkit::closed_port();
    let fetch = || host.fetch().cached().args(flags);
    let begin = || {
        for password in ["hunter2", "hunter3"] {
            host.put(&json!(set(password)));
            if password == "hunter2" {
                fetch().succeed_silently();
            }
        }
    };
    begin();
    let injected = FailingCall::for_each(&FILE_CALLS, |failing| {
        let output = fetch().inject(failing).run();
        if output.code() != Some(0) {
            assert_eq!(host.files(), set("hunter2"), "{failing}: {output}");
            return;
        }
        assert_eq!(host.files(), set("hunter3"), "{failing}: {output}");
        fs::remove_dir_all(host.output()).unwrap();
        let next = fetch().address(refused.address()).run();
        assert_eq!(next.code(), Some(0), "{failing}: {output}\n{next}");
        let sets = [set("hunter2"), set("hunter3")];
        assert!(sets.contains(&host.files()), "{failing}: {next}");
        begin();
    });
    eprintln!("{injected} errors");
    assert!(injected > 20, "{injected} errors");
}

#[test]
fn after_any_single_error_of_the_disk_each_set_is_whole() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("strace");
    assert_each_set_is_whole(&Host::new("one-error"), &[]);
}

#[test]
fn after_any_single_error_of_the_disk_each_unproven_set_is_whole() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("strace");
    assert_each_set_is_whole(
        &Host::new("one-error-unproven"),
        &["--service", "web.service"],
    );
}
