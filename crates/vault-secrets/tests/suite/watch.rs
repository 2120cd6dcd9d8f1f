//! `vault-secrets watch` starts the rotation of secrets that changed in OpenBao. A `systemctl`
//! stands in that notes the units and rotates nothing, unless a test does.

use std::{fs, thread, time::Duration};

use serde_json::json;
use zts_testkit::{Proxy, Run, Server};

use crate::host::Host;

pub(crate) const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "${0%/*}/started"
"#;

/// Creates a host with these secrets, all of which are in place.
fn host_with(host: Host, names: &[&str]) -> Host {
    for name in names {
        host.declare(name, &json!({})).put(name, "first");
    }
    host.write_program("systemctl", SYSTEMCTL);
    for name in names {
        host.fetch(name).succeed();
    }
    host
}

pub(crate) fn watch(host: &Host) -> Run {
    host.run(["watch", "--interval", "100ms"])
        .args(["--runtime-dir".as_ref(), host.path("notes").as_os_str()])
        .env("BAO_ADDR", host.address())
        .env("PATH", zts_testkit::path_with(host.path("bin")))
}

/// Returns the units that were started, one line for each call of `systemctl`.
pub(crate) fn started(host: &Host) -> Vec<String> {
    let text = fs::read_to_string(host.path("bin/started")).unwrap_or_default();
    let units = text
        .lines()
        .filter_map(|line| line.split_once(" start -- "));
    units.map(|(_, units)| units.to_owned()).collect()
}

#[track_caller]
pub(crate) fn wait_for_starts(host: &Host, count: usize) -> Vec<String> {
    zts_testkit::wait_for("rotations are started", || {
        let started = started(host);
        (started.len() >= count).then_some(started)
    })
}

#[test]
fn a_new_version_is_rotated_and_not_again_and_again() {
    zts_testkit::require_bao!();
    let host = host_with(Host::new("watched"), &["a", "b", "c"]);
    host.declare("c", &json!({ "rotation": "daily" }));
    let run = watch(&host).start();
    host.put("a", "second");
    let expected = ["vault-secret-rotate-a.service"; 2];
    assert_eq!(wait_for_starts(&host, 2), expected);
    host.put("b", "second");
    host.put("c", "second");
    thread::sleep(Duration::from_secs(3));
    let mut later = started(&host).split_off(2);
    later.sort_unstable();
    later.dedup();
    let units = later.join(" ");
    assert!(units.contains("vault-secret-rotate-b.service"), "{units}");
    assert!(units.contains("vault-secret-rotate-c.service"), "{units}");
    assert!(!units.contains("vault-secret-rotate-a.service"), "{units}");
    let calls = started(&host).len();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(
        started(&host).len(),
        calls,
        "a version that waits is left to its timer"
    );
    run.kill().assert_reports("`a` changed in OpenBao");
}

#[test]
fn a_rotation_of_a_deployed_version_is_not_started() {
    zts_testkit::require_bao!();
    let host = host_with(Host::new("watched-rotated"), &["a"]);
    let run = watch(&host).start();
    host.put("a", "second");
    wait_for_starts(&host, 1);
    host.rotate("a");
    let calls = wait_for_starts(&host, 1).len();
    thread::sleep(Duration::from_secs(1));
    assert!(
        started(&host).len() <= calls + 1,
        "one may have been on its way"
    );
    host.put("a", "third");
    wait_for_starts(&host, calls + 1);
    host.server
        .delete(&format!("secret/metadata/{}", host.secret("a")));
    let deleted = wait_for_starts(&host, calls + 2);
    assert_eq!(deleted.last().unwrap(), "vault-secret-rotate-a.service");
    run.kill();
}

#[test]
fn queries_share_a_connection() {
    zts_testkit::require_bao!();
    let host = host_with(Host::new("watched-connection"), &["a", "b"]);
    let proxy = Proxy::to(&host.server.address());
    let run = watch(&host).env("BAO_ADDR", proxy.address()).start();
    zts_testkit::wait_for("there are queries", || {
        (proxy.requests().len() >= 5).then_some(())
    });
    run.kill();
    assert_eq!(proxy.connections(), 1);
    let requests = proxy.requests();
    let is_listing = |path: &str| path.contains("/detailed-metadata/");
    assert!(
        requests.iter().all(|one| is_listing(&one.path)),
        "{requests:?}"
    );
}

/// On a server without inline authentication. With a token that has ended, each secret looks as if
/// it were gone.
#[test]
fn a_token_that_has_ended_is_replaced() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::builder().audit().start(), "watched-vault").on_vault();
    let host = host_with(host, &["a"]);
    let role = json!({ "token_ttl": "4s", "token_max_ttl": "4s" });
    let path = format!("auth/approle/role/{}", host.name);
    host.server.write(&path, &role);
    let run = watch(&host).start();
    thread::sleep(Duration::from_secs(7));
    assert_eq!(started(&host), Vec::<String>::new());
    host.put("a", "second");
    wait_for_starts(&host, 1);
    run.kill().assert_lacks("warning");
}

#[test]
fn a_host_without_rotated_secrets_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = Host::new("watched-nothing");
    host.declare("a", &json!({ "rotation": null }));
    insta::assert_snapshot!(watch(&host).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: this host has no secret that is rotated

    hint: set `vault.secrets.<name>.restartTrigger` of one that no service of `vault.criticalServices` uses
    ");
}
