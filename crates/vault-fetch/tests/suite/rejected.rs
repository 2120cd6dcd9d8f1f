//! A version with which a service failed is not deployed again.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use zts_delivery::Rejection;

use zts_testkit::set_mode;

use crate::host::{Host, files};

const GOOD: &str = "the-good-password";
const BAD: &str = "the-bad-password";

fn rejection(version: u64) -> Rejection {
    Rejection {
        version,
        created_time: None,
        reason: "postgresql.service did not come up:\n  exit-code".to_owned(),
        at: SystemTime::now() - Duration::from_secs(7260),
    }
}

/// Creates a host with version 1 deployed and in its cache, and the rejected version 2 on the
/// server.
fn with_copy(name: &str) -> Host {
    let host = Host::new(name).with_cached(&json!({ "password": GOOD }));
    host.put(&json!({ "password": BAD }));
    rejection(2).write(&host.cache()).unwrap();
    host
}

/// Creates the same host without a cache. The rejection is in the state directory.
fn without_copy(name: &str) -> Host {
    let host = Host::new(name);
    host.put(&json!({ "password": GOOD }));
    host.fetch().succeed_silently();
    host.put(&json!({ "password": BAD }));
    rejection(2).write(&beside(&host)).unwrap();
    host
}

fn beside(host: &Host) -> PathBuf {
    host.path("secrets/.db.vault-fetch")
}

#[track_caller]
fn assert_holds(host: &Host, password: &str) {
    assert_eq!(host.files(), files([("password", password)]));
}

fn copy(host: &Host) -> Value {
    serde_json::from_slice(&fs::read(host.cached_copy()).unwrap()).unwrap()
}

#[test]
fn the_copy_of_the_version_before_is_written_and_kept() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected");
    fs::remove_dir_all(host.output()).unwrap();
    insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: version 2 of `hosts/rejected/db` was rejected 2h 1m ago: postgresql.service did not come up: exit-code; version 1 comes from the cache; `vault-secrets rotate db --again` tries version 2 again
    ");
    assert_holds(&host, GOOD);
    assert_eq!(copy(&host)["copy"]["version"], 1);
    let output = host.fetch().cached().run();
    assert_eq!(output.code(), Some(0), "each time: {output}");
    assert!(Rejection::read(&host.cache()).unwrap().is_some());
}

#[test]
fn the_bad_version_is_taken_out_again() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-in-place");
    host.fetch().succeed_silently(); // without the cache, so that its note does not count
    assert_holds(&host, BAD);
    host.fetch().cached().succeed();
    assert_holds(&host, GOOD);
}

#[test]
fn without_a_copy_the_version_in_place_stays() {
    zts_testkit::require_bao!();
    let host = without_copy("rejected-deployed_version");
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: version 2 of `hosts/rejected-deployed_version/db` was rejected 2h 1m ago: postgresql.service did not come up: exit-code; version 1 stays in place; `vault-secrets rotate db --again` tries version 2 again
    ");
    assert_holds(&host, GOOD);
}

#[test]
fn without_any_other_version_it_is_written() {
    zts_testkit::require_bao!();
    let host = without_copy("rejected-only");
    fs::remove_dir_all(host.output()).unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: version 2 of `hosts/rejected-only/db` was rejected 2h 1m ago: postgresql.service did not come up: exit-code; it is written all the same, because there is no other; `vault-secrets rotate db --again` tries version 2 again
    ");
    assert_holds(&host, BAD);
    host.fetch().run().assert_reports("there is no other;");
}

#[test]
fn a_copy_of_the_rejected_version_is_no_other() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-copy");
    rejection(9).write(&host.cache()).unwrap();
    host.fetch().cached().succeed_silently();
    assert_eq!(copy(&host)["copy"]["version"], 2);
    rejection(2).write(&host.cache()).unwrap();
    let output = host.fetch().cached().run();
    output.assert_reports("there is no other;");
    assert_holds(&host, BAD);
}

#[test]
fn another_secrets_files_are_no_other_version() {
    zts_testkit::require_bao!();
    let host = without_copy("rejected-another");
    host.server.put_secret(
        "hosts/rejected-another/web",
        &json!({ "password": "other" }),
    );
    host.fetch_of("hosts/rejected-another/web")
        .succeed_silently();
    rejection(2).write(&beside(&host)).unwrap();
    host.fetch().run().assert_reports("there is no other;");
    assert_holds(&host, BAD);
}

#[test]
fn a_newer_version_is_written_and_the_note_is_gone() {
    zts_testkit::require_bao!();
    let (cached, plain) = (
        with_copy("rejected-newer"),
        without_copy("rejected-newer-plain"),
    );
    for host in [&cached, &plain] {
        host.put(&json!({ "password": "the-mended-password" }));
    }
    cached.fetch().cached().succeed_silently();
    plain.fetch().succeed_silently();
    for host in [&cached, &plain] {
        assert_holds(host, "the-mended-password");
    }
    assert!(!cached.cache().join("rejected.json").exists());
    assert!(!beside(&plain).join("rejected.json").exists());
    assert_eq!(copy(&cached)["copy"]["version"], 3);
}

#[test]
fn the_note_stays_while_no_copy_of_the_newer_version_can_be_kept() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-not-kept");
    host.put(&json!({ "password": "the-mended-password" }));
    let fetch = host.fetch().cached().args(["--seal-cache", "always"]);
    fetch.env("PATH", "/nonexistent").succeed();
    assert_holds(&host, "the-mended-password");
    assert!(Rejection::read(&host.cache()).unwrap().is_some());
}

#[test]
fn the_same_number_of_a_secret_that_was_made_anew_is_another_version() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-anew");
    let mut note = rejection(2);
    note.created_time = Some("2020-01-01T00:00:00Z".to_owned());
    note.write(&host.cache()).unwrap();
    host.fetch().cached().succeed_silently();
    assert_holds(&host, BAD);

    note.created_time = Some(
        copy(&host)["copy"]["created_time"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    note.write(&host.cache()).unwrap();
    host.fetch().cached().run().assert_reports("was rejected");
}

#[test]
fn a_version_in_place_that_is_newer_than_the_copy_stays() {
    zts_testkit::require_bao!();
    let host =
        Host::new("rejected-older-copy").with_cached(&json!({ "password": "an-old-password" }));
    host.put(&json!({ "password": GOOD }));
    host.fetch().succeed_silently();
    host.put(&json!({ "password": BAD }));
    rejection(3).write(&host.cache()).unwrap();
    let output = host.fetch().cached().run();
    output.assert_reports("version 2 stays in place");
    assert_holds(&host, GOOD);
}

#[test]
fn an_unusable_copy_is_skipped() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-no-good");
    let required = || host.fetch().cached().args(["--require", "password"]);
    fs::write(host.cached_copy(), "garbage").unwrap();
    let output = required().run();
    output.assert_reports("is damaged");
    output.assert_reports("version 1 stays in place");
    assert_holds(&host, GOOD);
}

#[test]
fn a_copy_without_a_required_key_or_too_old_is_passed_over() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-passed-over");
    fs::remove_dir_all(host.output()).unwrap();
    host.put(&json!({ "password": BAD, "user": "u" }));
    rejection(3).write(&host.cache()).unwrap();
    let output = host.fetch().cached().args(["--require", "user"]).run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: `hosts/rejected-passed-over/db` has no key `user`
    warning: version 3 of `hosts/rejected-passed-over/db` was rejected 2h 1m ago: postgresql.service did not come up: exit-code; it is written all the same, because there is no other; `vault-secrets rotate db --again` tries version 3 again
    ");
    assert_eq!(host.files()["password"], BAD);

    fs::remove_dir_all(host.output()).unwrap();
    let confirmed = SystemTime::now() - Duration::from_secs(7200);
    File::open(host.cached_copy())
        .unwrap()
        .set_modified(confirmed)
        .unwrap();
    let output = host.fetch().cached().args(["--max-cache-age", "1h"]).run();
    output.assert_reports("there is no other;");
    assert_eq!(host.files()["password"], BAD);
}

#[test]
fn with_openbao_down_the_copy_is_used() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-down");
    let refused = zts_testkit::closed_port();
    let output = host.fetch().cached().address(refused.address()).succeed();
    output.assert_reports("comes from the cache: version 1");
    assert_holds(&host, GOOD);
}

#[test]
fn a_note_that_is_no_note_does_not_count() {
    zts_testkit::require_bao!();
    let host = with_copy("rejected-odd");
    let note = host.cache().join("rejected.json");
    let good = fs::read(&note).unwrap();
    let large = vec![b' '; 2 << 20];
    for text in [&b""[..], b"{}", b"\xff", &good[1..], &large] {
        fs::write(&note, text).unwrap();
        host.fetch().cached().succeed_silently();
        assert_holds(&host, BAD);
    }
    fs::write(&note, good).unwrap();
    set_mode(&note, 0o666); // anybody may have written it
    host.fetch().cached().succeed_silently();
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();
    host.fetch().cached().succeed_silently();
}

#[test]
fn a_secret_that_is_gone_takes_the_note_and_all_files_with_it() {
    zts_testkit::require_bao!();
    for (name, cached) in [("rejected-gone", true), ("rejected-gone-plain", false)] {
        let host = if cached {
            with_copy(name)
        } else {
            without_copy(name)
        };
        let template = host.path("conf.in");
        fs::write(&template, "{{ password }}").unwrap();
        let template = format!("conf={}", template.display());
        let fetch = || {
            let fetch = host
                .fetch()
                .args(["--template", &template, "--environment-file", "env"]);
            if cached { fetch.cached() } else { fetch }
        };
        fetch().succeed();
        host.server.delete_version(&host.secret());
        fetch().run().assert_status(1);
        assert!(!host.output().exists());
        assert!(!host.cached_copy().exists());
        assert!(!host.cache().join("rejected.json").exists());
        assert!(!beside(&host).join("rejected.json").exists());
        assert_eq!(host.files_with(GOOD), [] as [PathBuf; 0]);
        assert_eq!(host.files_with(BAD), [] as [PathBuf; 0]);
    }
}
