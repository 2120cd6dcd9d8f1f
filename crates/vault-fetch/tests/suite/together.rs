//! Several runs at once for one output directory.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use zts_testkit::{Fault, Proxy, SilentListener};

use crate::host::{Fetch, Host, files};

#[test]
fn thirty_two_at_once_on_one_directory_all_succeed() {
    zts_testkit::require_bao!();
    let host = Host::new("thirty-two");
    host.put(&json!({ "a": "first", "b": "first" }));
    host.fetch().cached().succeed_silently();
    let values = json!({ "a": "second", "b": "second" });
    host.put(&values);
    let runs: Vec<_> = (0..32).map(|_| host.fetch().cached().start()).collect();
    for run in runs {
        let output = run.finish().assert_success();
        assert_eq!(output.stderr, "");
    }
    assert_eq!(host.files(), files([("a", "second"), ("b", "second")]));
    let litter = fs::read_dir(host.cache()).unwrap().count();
    assert_eq!(litter, 1, "the copy alone");
    assert!(!host.path("secrets/.db.vault-fetch/new").exists());
}

#[test]
fn a_slow_run_does_not_put_an_older_version_back() {
    zts_testkit::require_bao!();
    let host = Host::new("overtaken");
    host.put(&json!({ "password": "first-one" }));
    host.fetch().succeed_silently(); // so that no run waits for the login of another
    host.put(&json!({ "password": "older-one" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Trickle(Duration::from_millis(2)));
    let slow = host.fetch().cached().through(&proxy).start();
    zts_testkit::wait_for("the slow run has its answer begun", || {
        (proxy.bytes_to_clients() > 0).then_some(())
    });
    host.put(&json!({ "password": "newer-one" }));
    host.fetch().cached().succeed_silently();
    slow.finish().assert_success();
    assert_eq!(host.files(), files([("password", "newer-one")]));
    assert_eq!(
        host.files_with("older-one"),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn a_run_that_turns_to_the_cache_does_not_put_an_older_version_back() {
    zts_testkit::require_bao!();
    let host = Host::new("cached-late").with_cached(&json!({ "password": "older-one" }));
    let hole = SilentListener::open();
    let slow = host.fetch().cached().address(hole.address()).start();
    zts_testkit::wait_for("the slow run asks", || {
        (hole.connections() > 0).then_some(())
    });
    host.put(&json!({ "password": "newer-one" }));
    host.fetch().cached().succeed_silently();
    slow.finish().assert_success();
    assert_eq!(host.files(), files([("password", "newer-one")]));
}

#[test]
fn a_secret_that_was_made_anew_may_have_a_lower_version() {
    zts_testkit::require_bao!();
    let host = Host::new("anew");
    for number in 1..4 {
        host.put(&json!({ "password": format!("number-{number}") }));
    }
    host.fetch().cached().succeed_silently();
    host.server.delete_metadata(&host.secret());
    host.put(&json!({ "password": "a-new-life" }));
    host.fetch().cached().succeed_silently();
    assert_eq!(host.files(), files([("password", "a-new-life")]));
}

/// Dates the note in the future, as when the clock is set back after a run.
fn set_the_clock_back(host: &Host) {
    let note = host.path("secrets/.db.vault-fetch/written");
    let mut written: Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    let at = &mut written["at"]["secs_since_epoch"];
    *at = json!(at.as_u64().unwrap() + 365 * 86_400);
    fs::write(note, written.to_string()).unwrap();
}

#[test]
fn a_lower_version_is_taken_also_after_the_clock_was_set_back() {
    zts_testkit::require_bao!();
    let host = Host::new("clock-set-back");
    for number in 1..4 {
        host.put(&json!({ "password": format!("number-{number}") }));
    }
    host.fetch().cached().succeed_silently();
    set_the_clock_back(&host);
    host.server.delete_metadata(&host.secret());
    host.put(&json!({ "password": "a-new-life" }));
    host.fetch().cached().succeed_silently();
    assert_eq!(host.files(), files([("password", "a-new-life")]));
}

/// Starts a run that has read a version and writes it only after `meanwhile`.
pub(crate) fn slow_run(
    host: &Host,
    fetch: Fetch<'_>,
    meanwhile: impl FnOnce(),
) -> zts_testkit::RunOutput {
    let proxy = Proxy::to(&host.server.address());
    proxy.first(1, Fault::Trickle(Duration::from_millis(10)));
    let slow = fetch.cached().through(&proxy).start();
    zts_testkit::wait_for("the slow run has its answer begun", || {
        (proxy.bytes_to_clients() > 0).then_some(())
    });
    meanwhile();
    slow.finish()
}

#[test]
fn a_slow_run_does_not_bring_back_what_was_made_anew_meanwhile() {
    zts_testkit::require_bao!();
    let host = Host::new("anew-meanwhile");
    for number in 1..4 {
        host.put(&json!({ "password": format!("number-{number}") }));
    }
    host.fetch().cached().succeed_silently();
    slow_run(&host, host.fetch(), || {
        host.server.delete_metadata(&host.secret());
        host.put(&json!({ "password": "a-new-life" }));
        host.fetch().cached().succeed_silently();
    })
    .assert_success();
    assert_eq!(host.files(), files([("password", "a-new-life")]));
}

#[test]
fn a_slow_run_does_not_bring_back_what_was_deleted_meanwhile() {
    zts_testkit::require_bao!();
    let host = Host::new("deleted-meanwhile");
    host.put(&json!({ "password": "deleted-one" }));
    host.fetch().cached().succeed_silently();
    set_the_clock_back(&host);
    let output = slow_run(&host, host.fetch(), || {
        host.server.delete_version(&host.secret());
        host.fetch().cached().run().assert_status(1);
        assert!(!host.output().exists());
    })
    .assert_status(1);
    assert!(!host.output().exists(), "{output}");
    assert!(!host.cached_copy().exists());
}
