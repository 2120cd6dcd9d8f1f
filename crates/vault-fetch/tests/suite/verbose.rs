//! Events of `--verbose` and `BAO_LOG_LEVEL`: the nodes that were tried, and no secret.

use serde_json::json;
use zts_testkit::{Proxy, closed_port, find_leak, normalize_output};

use crate::host::Host;

#[test]
fn each_node_is_named_with_the_reason_why_it_was_left() {
    zts_testkit::require_bao!();
    let host = Host::new("verbose");
    host.put(&json!({ "password": "hunter2" }));
    let (closed, server) = (closed_port().address(), host.server.address());
    let run = host.fetch().address(format!("{closed},{server}"));
    let output = run.args(["-v"]).succeed();
    let lines: Vec<_> = output.stderr.lines().collect();
    let position = |parts: &[&str]| {
        let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
        let found = lines.iter().position(has_all);
        found.unwrap_or_else(|| panic!("no line with {parts:?}:\n{output}"))
    };
    let (closed, server) = (format!("node={closed} "), format!("node={server} "));
    let tried = position(&[
        "DEBUG trying node",
        &closed,
        "path=\"secret/data/hosts/verbose/db\"",
    ]);
    let left = position(&[
        "INFO node cannot be used",
        &closed,
        "connection refused",
        "took=",
    ]);
    let next = position(&["DEBUG trying node", &server]);
    let answered = position(&["DEBUG node answered", &server, "took="]);
    assert!(tried < left && left < next && next < answered, "{output}");
}

#[test]
fn two_v_print_each_http_exchange() {
    zts_testkit::require_bao!();
    let host = Host::new("exchanges");
    host.put(&json!({ "password": "hunter2" }));
    let run = |flag| {
        host.fetch()
            .args([flag, "--authentication", "login"])
            .succeed()
    };
    run("-v").assert_lacks("TRACE");
    let output = run("-vv");
    for (method, path) in [
        ("POST", "auth/approle/login"),
        ("GET", "secret/data/hosts/exchanges/db"),
    ] {
        let url = format!("url={}/v1/{path}", host.server.address());
        let parts = ["TRACE HTTP exchange", method, &url, "status=200", "took="];
        let has_all = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(output.stderr.lines().any(has_all), "{parts:?}:\n{output}");
    }
}

#[test]
fn the_journal_adds_the_time() {
    zts_testkit::require_bao!();
    let host = Host::new("journal");
    host.put(&json!({ "password": "hunter2" }));
    let run = || host.fetch().env("BAO_LOG_LEVEL", "debug");
    let first_line = |text: &str| text.lines().next().map(normalize_output);
    let output = run().env("JOURNAL_STREAM", "8:1234").succeed();
    assert!(
        first_line(&output.stderr).is_some_and(|line| line.starts_with("DEBUG ")),
        "{output}"
    );
    let output = run().succeed();
    assert!(
        first_line(&output.stderr).is_some_and(|line| line.starts_with("[time] DEBUG ")),
        "{output}"
    );
}

#[test]
fn nothing_is_printed_without_a_level() {
    zts_testkit::require_bao!();
    let host = Host::new("quiet");
    host.put(&json!({ "password": "hunter2" }));
    let output = host.fetch().env("BAO_LOG_LEVEL", "off").succeed();
    assert_eq!(output.stderr, "");
    let output = host.fetch().env("VAULT_LOG_LEVEL", "").succeed();
    assert_eq!(output.stderr, "");
}

#[test]
fn a_level_that_does_not_exist_is_a_usage_error() {
    zts_testkit::require_bao!();
    let host = Host::new("loud");
    let output = host.fetch().env("VAULT_LOG_LEVEL", "loud").run();
    insta::assert_snapshot!(output, @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `BAO_LOG_LEVEL` (or `VAULT_LOG_LEVEL`) is `loud`, which is not a level

    hint: `trace`, `debug`, `info`, `warn`, `error` or `off`
    ");
}

#[test]
fn the_cached_copy_that_stands_in_is_named() {
    zts_testkit::require_bao!();
    let host = Host::new("verbose-copy").with_cached(&json!({ "password": "hunter2" }));
    let run = host.fetch().cached().address(closed_port().address());
    let output = run.args(["--verbose"]).succeed();
    let copy = format!("file={}", host.cached_copy().display());
    let names_copy = |line: &str| line.contains("cached copy is usable") && line.contains(&copy);
    assert!(output.stderr.lines().any(names_copy), "{output}");
}

#[test]
fn no_event_shows_a_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("trace");
    let value = "correct horse battery staple 5e4d";
    host.put(&json!({ "passphrase": value }));
    let proxy = Proxy::to(&host.server.address());
    let addresses = format!("{},{}", closed_port().address(), proxy.address());
    let mut secrets = vec![
        value.to_owned(),
        host.credentials.role_id.clone(),
        host.credentials.secret_id.clone(),
    ];
    let mut events = String::new();
    for authentication in ["inline", "login"] {
        let run = host.fetch().cached().address(&addresses).args(["-vv"]);
        let output = run.args(["--authentication", authentication]).succeed();
        output.assert_reports("TRACE");
        events.push_str(&output.stderr);
    }
    let headers = proxy
        .requests()
        .into_iter()
        .flat_map(|request| request.headers);
    let tokens = headers.filter(|(name, _)| name == "x-vault-token");
    secrets.extend(tokens.map(|(_, token)| token));
    assert!(secrets.len() > 3, "the second run logged in first");
    for secret in secrets {
        assert_eq!(find_leak(&secret, &events), None, "{events}");
    }
}
