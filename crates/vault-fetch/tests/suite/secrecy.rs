//! Data of a run that other users of the machine can see.

use std::{fs, os::unix::process::ExitStatusExt};

use serde_json::json;
use zts_testkit::{Fault, Proxy, Run, Running, Signal, is_root};

use crate::host::{Host, files};

/// Starts a run that has sent its request and waits for an answer that never comes.
fn hanging(host: &Host, proxy: &Proxy) -> Running {
    proxy.always(Fault::Hang);
    let running = host.fetch().cached().through(proxy).start();
    zts_testkit::wait_for("the request is sent", || proxy.requests().pop());
    running
}

#[test]
fn no_argument_and_no_variable_of_the_process_is_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("process");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    let running = hanging(&host, &proxy);
    for file in ["cmdline", "environ", "status", "comm"] {
        let path = format!("/proc/{}/{file}", running.id());
        let Ok(bytes) = fs::read(path) else {
            assert!(!is_root(), "root may read `{file}`");
            continue;
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for secret in [&host.credentials.role_id, &host.credentials.secret_id] {
            assert!(!text.contains(secret), "{file}: {text}");
        }
    }
    host.assert_prints_no_secret(&running.kill());
}

#[test]
fn the_credentials_are_in_no_url() {
    zts_testkit::require_bao!();
    let host = Host::new("urls");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    host.fetch().through(&proxy).succeed_silently();
    for hit in proxy.requests() {
        assert!(
            !hit.path.contains(&host.credentials.role_id),
            "{}",
            hit.path
        );
        assert!(
            !hit.path.contains(&host.credentials.secret_id),
            "{}",
            hit.path
        );
    }
}

#[test]
fn a_crash_leaves_no_core() {
    zts_testkit::require_bao!();
    let host = Host::new("core");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Hang);
    let with_cores = |program: &str| {
        let shell = ["-c", "ulimit -c unlimited && exec \"$@\"", "sh", program];
        Run::new("/bin/sh").args(shell).current_dir(host.path("."))
    };
    let mut dumps = with_cores("sleep").arg("60").start();
    zts_testkit::wait_for("the shell has become `sleep`", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", dumps.id())).ok()?;
        (name == "sleep\n").then_some(())
    });
    dumps.signal(Signal::ABORT);
    if !dumps.finish().status.core_dumped() {
        zts_testkit::skip!("no core dumps on this machine");
    }
    let run = with_cores(env!("CARGO_BIN_EXE_vault-fetch")).arg(host.secret());
    let run = run
        .arg(host.output())
        .arg("--approle-dir")
        .arg(host.path("approle"))
        .arg("--runtime-dir")
        .arg(host.runtime_dir());
    let mut running = run.env("BAO_ADDR", proxy.address()).start();
    zts_testkit::wait_for("the request is sent", || proxy.requests().pop());
    running.signal(Signal::ABORT);
    let status = running.finish().status;
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
}

#[test]
fn sigterm_ends_it_at_once_and_changes_nothing() {
    zts_testkit::require_bao!();
    let host = Host::new("sigterm").with_cached(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    let mut running = hanging(&host, &proxy);
    running.signal(Signal::TERM);
    let output = running.finish();
    assert_eq!(output.status.signal(), Some(15), "{output}");
    assert_eq!(host.files(), files([("password", "hunter2")]));
    assert!(host.cached_copy().is_file());
    host.fetch().cached().succeed_silently();
}

#[test]
fn closed_standard_streams_are_ignored() {
    zts_testkit::require_bao!();
    let host = Host::new("closed").with_cached(&json!({ "password": "hunter2" }));
    fs::remove_dir_all(host.output()).unwrap();
    let refused = zts_testkit::closed_port();
    let run = host.fetch_in_shell("exec \"$@\" >&- 2>&-");
    let run = run.arg("--cache-dir").arg(host.cache());
    run.env("BAO_ADDR", refused.address()).succeed();
    assert_eq!(host.files(), files([("password", "hunter2")]));
}
