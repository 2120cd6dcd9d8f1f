//! Simultaneous runs.

use std::fs::{self, File};

use serde_json::json;
use zts_secure_fs::{Lock, LockKind};

use crate::host::Host;

#[test]
fn simultaneous_timers_query_once() {
    zts_testkit::require_bao!();
    let host = Host::new("timers");
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.rotate("a").assert_success();
    for name in names {
        host.put(name, "two");
    }
    let (listed, read) = (host.asked("detailed-metadata"), host.asked("data"));
    // each starts before the query of the first one, or finds no new version
    let runs = names.map(|name| host.start_rotation(name));
    for run in runs {
        run.finish().assert_success();
    }
    let listed = host.asked("detailed-metadata") - listed;
    eprintln!("five runs at once: {listed} listings");
    assert!(listed <= 2, "{listed} listings");
    assert_eq!(host.asked("data") - read, 5);
    assert_eq!(names.map(|name| host.value(name)), ["two"; 5]);
}

#[test]
fn a_run_that_waited_reports_the_result_of_its_own_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("waited");
    host.declare("bad", &json!({ "required_keys": ["user"] }))
        .put("bad", "one");
    host.declare("good", &json!({})).put("good", "one");
    for _ in 0..5 {
        let runs = ["bad", "good"].map(|name| host.start_rotation(name));
        let codes = runs.map(|run| run.finish().code());
        assert_eq!(codes, [Some(1), Some(0)]);
    }
}

#[test]
fn a_run_that_waits_for_another_says_so() {
    zts_testkit::require_bao!();
    let host = Host::new("waiting");
    host.declare("db", &json!({})).put("db", "one");
    fs::create_dir(host.path("state")).unwrap();
    let lock = File::create_new(host.path("state/rotate.lock")).unwrap();
    let lock = Lock::wait(lock, LockKind::Exclusive).unwrap();
    let run = host.start_rotation("db");
    run.wait_for_stderr(
        "another run of `vault-secrets` is rotating secrets: waiting for it to end",
    );
    assert_eq!(host.value("db"), "");
    drop(lock);
    run.finish().assert_success();
    assert_eq!(host.value("db"), "one");
}
