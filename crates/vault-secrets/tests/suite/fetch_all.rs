//! `vault-secrets fetch-all` fetches the secrets that are not in place, in one process and over one
//! connection.

use std::{fs, time::Duration};

use serde_json::json;
use zts_testkit::{
    Fault, Proxy, Run, RunOutput, Server, SilentListener, closed_port, find_leak, names,
};

use crate::host::Host;

pub(crate) fn fetch_all(host: &Host) -> Run {
    host.run(["fetch-all"])
        .args(["--runtime-dir".as_ref(), host.path("notes").as_os_str()])
        .args(["--cached-deadline", "30s"])
}

/// Creates a host with the secrets `s0`, `s1` and so on.
pub(crate) fn host_with(name: &str, secrets: usize) -> Host {
    let host = Host::new(name);
    for number in 0..secrets {
        let secret = format!("s{number}");
        host.declare(&secret, &json!({})).put(&secret, &secret);
    }
    host
}

/// Removes what a reboot removes.
pub(crate) fn reboot(host: &Host) {
    fs::remove_dir_all(host.path("secrets")).unwrap();
    fs::remove_dir_all(host.path("notes")).unwrap();
}

pub(crate) fn values(host: &Host, secrets: usize) -> Vec<String> {
    let values = (0..secrets).map(|number| host.value(&format!("s{number}")));
    values.collect()
}

#[test]
fn all_secrets_come_over_one_connection() {
    zts_testkit::require_bao!();
    let host = host_with("one-connection", 12);
    let proxy = Proxy::to(&host.server.address());
    let output = fetch_all(&host).env("BAO_ADDR", proxy.address()).succeed();
    assert_eq!(output.stderr, "");
    let expected: Vec<_> = (0..12).map(|number| format!("s{number}")).collect();
    assert_eq!(values(&host, 12), expected);
    assert_eq!(host.copied("s11"), Some(1));
    assert_eq!(proxy.connections(), 1);
    let reads = proxy.requests().into_iter();
    let reads = reads.filter(|request| request.path.contains("/data/"));
    assert_eq!(reads.count(), 12);
}

#[test]
fn no_event_shows_a_value_or_a_credential() {
    zts_testkit::require_bao!();
    let host = Host::new("trace-all");
    let value = "correct horse battery staple 7c1f";
    host.declare("db", &json!({})).put("db", value);
    let addresses = format!("{},{}", closed_port().address(), host.server.address());
    let run = fetch_all(&host).args(["-vv"]).env("BAO_ADDR", addresses);
    let output = run.succeed();
    for words in ["INFO node cannot be used", "DEBUG node answered", "TRACE"] {
        output.assert_reports(words);
    }
    let credentials = &host.credentials;
    for secret in [value, &credentials.role_id, &credentials.secret_id] {
        assert_eq!(find_leak(secret, &output.stderr), None, "{output}");
    }
}

#[test]
fn what_is_in_place_is_not_fetched() {
    zts_testkit::require_bao!();
    let host = host_with("in-place", 3);
    fetch_all(&host).succeed();
    fs::remove_dir_all(host.output("s1")).unwrap();
    let proxy = Proxy::to(&host.server.address());
    fetch_all(&host).env("BAO_ADDR", proxy.address()).succeed();
    assert_eq!(host.value("s1"), "s1");
    assert_eq!(proxy.requests().len(), 1);
    let refused = closed_port();
    let output = fetch_all(&host)
        .env("BAO_ADDR", refused.address())
        .succeed();
    assert_eq!(output.stderr, "");
}

/// HashiCorp Vault needs a login, which is one for all secrets.
#[test]
fn a_server_without_inline_authentication_gets_one_login() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::builder().audit().start(), "vault").on_vault();
    for name in ["a", "b", "c"] {
        host.declare(name, &json!({})).put(name, name);
    }
    fetch_all(&host).succeed();
    assert_eq!(host.value("c"), "c");
    let asked = host.requests_to_vault();
    let logins = asked.iter().filter(|request| request.contains("auth/"));
    assert_eq!(logins.count(), 1, "{asked:?}");
}

#[test]
fn the_failure_of_a_secret_is_its_own() {
    zts_testkit::require_bao!();
    let host = host_with("own-failure", 2);
    host.declare("denied", &json!({ "secret_path": "hosts/other/db" }))
        .declare("incomplete", &json!({ "required_keys": ["user"] }))
        .put("incomplete", "one")
        .declare("absent", &json!({}))
        .declare("unowned", &json!({ "owner": "nobody-has-this-name" }));
    let output = fetch_all(&host).run();
    assert_eq!(values(&host, 2), ["s0", "s1"]);
    let mut lines: Vec<_> = output.stderr.lines().collect();
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"), @"

    error: secrets were not fetched: `absent`, `denied`, `incomplete`, `unowned`
    hint: `systemctl start vault-secret-absent` tries again
    warning: `absent` was not written: OpenBao has nothing at `secret/data/hosts/own-failure/absent`
    warning: `denied` was not written: OpenBao denied `secret/data/hosts/other/db`: permission denied
    warning: `incomplete` was not written: `hosts/own-failure/incomplete` has no key `user`
    warning: `unowned` was not written: the user `nobody-has-this-name` does not exist on this host
    ");
    output.assert_status(1);
    let metrics = host.run(["metrics"]).run().stdout;
    for name in ["denied", "incomplete", "absent", "unowned"] {
        let failures = format!("vault_secret_fetch_failures_total{{secret=\"{name}\"}} 1");
        assert!(metrics.contains(&failures), "{metrics}");
    }
}

pub(crate) fn from_copies(host: &Host, address: &str, deadline: &str) -> RunOutput {
    let run = host.run(["fetch-all", "--cached-deadline", deadline]);
    run.args(["--runtime-dir".as_ref(), host.path("notes").as_os_str()])
        .env("BAO_ADDR", address)
        .run()
}

#[test]
fn a_silent_server_is_waited_for_once() {
    zts_testkit::require_bao!();
    let host = host_with("silent", 8);
    fetch_all(&host).succeed();
    reboot(&host);
    host.declare("new", &json!({}));
    let hole = SilentListener::open();
    let output = from_copies(&host, &hole.address(), "800ms");
    assert_eq!(values(&host, 8)[7], "s7");
    assert_eq!(hole.connections(), 1);
    assert!(output.time >= Duration::from_millis(800), "{output}");
    let most = zts_testkit::scale_timeout(Duration::from_secs(3));
    assert!(output.time < most, "{:?}", output.time);
    assert_eq!(output.code(), Some(1), "{output}");
    let unavailable = "cannot be used: no answer within 0.8 s";
    assert_eq!(output.stderr.matches(unavailable).count(), 9, "{output}");
    let last = "error: secrets were not fetched: `new`\n\nhint: `systemctl start vault-secret-new` tries again\n";
    assert!(output.stderr.ends_with(last), "{output}");
    let metrics = host.run(["metrics"]).run().stdout;
    let left = "vault_secret_fetch_failures_total{secret=\"new\"} 0";
    assert!(metrics.contains(left), "its own unit tries: {metrics}");
}

#[test]
fn a_dead_server_is_not_waited_for() {
    zts_testkit::require_bao!();
    let host = host_with("dead", 8);
    fetch_all(&host).succeed();
    reboot(&host);
    let output = from_copies(&host, &closed_port().address(), "60s").assert_success();
    assert_eq!(values(&host, 8)[7], "s7");
    let most = zts_testkit::scale_timeout(Duration::from_secs(3));
    assert!(output.time < most, "{:?}", output.time);
}

#[test]
fn refused_credentials_lock_no_role() {
    zts_testkit::require_bao!();
    let host = host_with("refused-login", 5);
    host.replace_credentials();
    let proxy = Proxy::to(&host.server.address());
    fetch_all(&host)
        .env("BAO_ADDR", proxy.address())
        .run()
        .assert_status(1);
    let reads = proxy.requests().into_iter();
    let reads = reads.filter(|request| request.path.contains("/data/"));
    assert_eq!(reads.count(), 2);
}

#[test]
fn versions_are_unproven_and_rejected_ones_stay_so() {
    zts_testkit::require_bao!();
    let host = Host::new("rejected");
    host.declare("db", &json!({ "services": ["app.service"] }))
        .declare("tls", &json!({}))
        .put("db", "one")
        .put("tls", "one");
    fetch_all(&host).succeed();
    assert!(host.state_dir("db").join("rollout").exists());
    assert!(!host.state_dir("tls").join("rollout").exists());
    assert_eq!(names(&host.cache("db")), ["unproven.json"]);
    host.put("tls", "two");
    let rejection = json!({
        "version": 2, "created_time": null, "reason": "app.service failed",
        "at": { "secs_since_epoch": 1, "nanos_since_epoch": 0 },
    });
    fs::write(
        host.cache("tls").join("rejected.json"),
        rejection.to_string(),
    )
    .unwrap();
    reboot(&host);
    let output = fetch_all(&host).succeed();
    assert_eq!(host.value("tls"), "one");
    output.assert_reports("`tls`: version 2");
}

#[test]
fn a_secret_that_a_switch_removes_meanwhile_is_removed() {
    zts_testkit::require_bao!();
    let host = host_with("undeclared", 2);
    let proxy = Proxy::to(&host.server.address());
    proxy.once_on("/data/", Fault::Delay(Duration::from_secs(1)));
    let run = fetch_all(&host).env("BAO_ADDR", proxy.address()).start();
    zts_testkit::wait_for("the first secret is read", || {
        (proxy.connections() > 0).then_some(())
    });
    host.forget("s1");
    run.finish().assert_success();
    assert_eq!(names(&host.path("secrets")), [".s0.vault-fetch", "s0"]);
}
