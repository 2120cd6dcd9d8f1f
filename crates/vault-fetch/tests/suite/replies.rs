//! Answers that OpenBao would not give.

use serde_json::json;
use zts_testkit::{CertificateKind, Fault, Proxy, RunOutput, Server};

use crate::host::{Fetch, Host, files};

fn through_a_bad_proxy(host: &Host, trouble: Fault) -> Proxy {
    let proxy = Proxy::to(&host.server.address());
    proxy.always(trouble);
    let output = host.fetch().cached().through(&proxy).run();
    assert_eq!(output.code(), Some(0), "the cache stands in: {output}");
    assert_eq!(host.files(), files([("password", "hunter2")]));
    proxy
}

fn said(fetch: Fetch<'_>) -> RunOutput {
    let deadline = zts_testkit::scale_timeout(std::time::Duration::from_millis(600));
    fetch.deadline(&format!("{}ms", deadline.as_millis())).run()
}

#[test]
fn a_page_of_html() {
    zts_testkit::require_bao!();
    let host = Host::new("html").with_cached(&json!({ "password": "hunter2" }));
    let proxy = through_a_bad_proxy(&host, Fault::Html);
    insta::assert_snapshot!(said(host.fetch().through(&proxy)), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/html/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 1); no cache available

    hint: is this OpenBao's address, and nothing in between that answers in its place? See `docs/runbook/no-cache.md`
    ");
}

#[test]
fn other_json_than_openbaos() {
    zts_testkit::require_bao!();
    let host = Host::new("other-json").with_cached(&json!({ "password": "hunter2" }));
    let mut all = String::new();
    for body in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"data":{"data":{"password":"x"}}}"#,
        r#"{"data":{"data":{"password":"x"},"metadata":{"version":-1,"created_time":""}}}"#,
    ] {
        let proxy = through_a_bad_proxy(&host, Fault::Body(body.to_owned()));
        let output = said(host.fetch().through(&proxy));
        assert_eq!(output.code(), Some(1), "{body}: {output}");
        let line = output.stderr.lines().next().unwrap_or_default();
        let line = line.split(": ").skip(2).collect::<Vec<_>>().join(": ");
        all.extend([body, "\n    ", &line, "\n"]);
    }
    insta::assert_snapshot!(zts_testkit::normalize_output(&all), @r#"

        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: `data` is missing; no cache available
    {}
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: `data` is missing; no cache available
    null
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 4); no cache available
    []
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 2); no cache available
    {"data":null}
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: `data` is missing; no cache available
    {"data":{}}
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 10); no cache available
    {"data":{"data":{"password":"x"}}}
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 33); no cache available
    {"data":{"data":{"password":"x"},"metadata":{"version":-1,"created_time":""}}}
        OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 57); no cache available
    "#);
}

/// OpenBao does not return a list. The metadata of the version is valid, so only this secret fails.
#[test]
fn a_version_without_an_object_fails_only_this_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("no-object").with_cached(&json!({ "password": "hunter2" }));
    for data in [r#"["password"]"#, "7", r#""hunter2""#, "true"] {
        let body =
            format!(r#"{{"data":{{"data":{data},"metadata":{{"version":2,"created_time":""}}}}}}"#);
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Fault::Body(body));
        let output = host.fetch().cached().through(&proxy).run();
        assert_eq!(output.code(), Some(1), "{data}: {output}");
        let why = "has no keys: version 2 of it is no JSON object";
        assert!(output.stderr.contains(why), "{data}: {output}");
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

#[test]
fn an_answer_that_ends_too_early() {
    zts_testkit::require_bao!();
    let host = Host::new("truncated").with_cached(&json!({ "password": "hunter2" }));
    let proxy = through_a_bad_proxy(&host, Fault::Truncate(100));
    insta::assert_snapshot!(said(host.fetch().through(&proxy)), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/truncated/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it ends too early (peer disconnected); no cache available

    hint: is this OpenBao's address, and nothing in between that answers in its place? See `docs/runbook/no-cache.md`
    ");
    let proxy = through_a_bad_proxy(&host, Fault::Truncate(0));
    assert_eq!(said(host.fetch().through(&proxy)).code(), Some(1));
    let proxy = through_a_bad_proxy(&host, Fault::Close);
    insta::assert_snapshot!(said(host.fetch().through(&proxy)), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/truncated/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it closed the connection without an answer (peer disconnected); no cache available

    hint: the log of the server at that address says why, or that of what is in between; see `docs/runbook/no-cache.md`
    ");
}

#[test]
fn pages_of_a_load_balancer_are_no_word_of_openbaos() {
    zts_testkit::require_bao!();
    let host = Host::new("balancer").with_cached(&json!({ "password": "hunter2" }));
    let mut all = String::new();
    for status in [301, 302, 307, 400, 401, 403, 404, 405, 431] {
        let proxy = through_a_bad_proxy(&host, Fault::Status(status));
        let output = said(host.fetch().through(&proxy));
        assert_eq!(output.code(), Some(1), "{status}: {output}");
        all.extend(output.stderr.lines().take(1).chain(["\n"]));
    }
    insta::assert_snapshot!(zts_testkit::normalize_output(&all), @"
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it points to ``, which is not the address of a server; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it points to ``, which is not the address of a server; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it points to ``, which is not the address of a server; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 400 without OpenBao's `errors`; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 401 without OpenBao's `errors`; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 403 without OpenBao's `errors`; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 404 without OpenBao's `errors`; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 405 without OpenBao's `errors`; no cache available
    error: `hosts/balancer/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 431 without OpenBao's `errors`; no cache available
    ");
}

#[test]
fn an_answer_of_a_hundred_megabytes_takes_no_such_memory() {
    zts_testkit::require_bao!();
    let host = Host::new("huge").with_cached(&json!({ "password": "hunter2" }));
    let proxy = through_a_bad_proxy(&host, Fault::Huge(100_000_000));
    let run = host.fetch().through(&proxy).deadline("2s").start();
    let (output, peak) = run.finish_with_peak_memory();
    eprintln!("peak memory with an answer of 100 MB: {peak} KiB");
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/huge/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is larger than 64 MiB; no cache available

    hint: is this OpenBao's address, and nothing in between that answers in its place? See `docs/runbook/no-cache.md`
    ");
    assert!(proxy.requests().len() > 1, "it is asked again");
    assert!((1..30_000).contains(&peak), "{peak} KiB");
}

#[test]
fn a_redirect_is_followed_to_another_server_of_the_cluster() {
    zts_testkit::require_bao!();
    let host = Host::new("redirected");
    host.put(&json!({ "password": "hunter2" }));
    let target = format!("{}/v1/secret/data/{}", host.server.address(), host.secret());
    let standby = Proxy::to(&host.server.address());
    standby.always(Fault::Redirect(target));
    host.fetch().through(&standby).succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    zts_testkit::require_bao!();
    let certificates = zts_testkit::CertificateAuthority::new();
    let host = Host::on(
        Server::builder().tls(CertificateKind::Valid).start(),
        "downgrade",
    );
    let listening = Proxy::to(&host.server.address().replace("https:", "http:"));
    let target = format!("{}/v1/secret/data/{}", listening.address(), host.secret());
    let standby = Proxy::with_tls(&listening.address(), &certificates.issue());
    standby.always(Fault::Redirect(target));
    let fetch = host.fetch().through(&standby);
    let output = said(fetch.env("BAO_CACERT", certificates.ca_certificate()));
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/downgrade/db` was not written: OpenBao at `https://127.0.0.1:[port]` cannot be used: it points to `http://127.0.0.1:[port]`, which is not encrypted; no cache available

    hint: set `api_addr` of that server to its `https://` address; nothing is sent unencrypted; see `docs/runbook/no-cache.md`
    ");
    assert!(!standby.requests().is_empty());
    assert_eq!(listening.connections(), 0, "no credentials in the clear");
}

#[test]
fn a_redirect_in_a_circle_ends() {
    zts_testkit::require_bao!();
    let host = Host::new("circle");
    let standby = Proxy::to(&host.server.address());
    standby.always(Fault::Redirect(format!(
        "{}/v1/secret/data/{}",
        standby.address(),
        host.secret()
    )));
    insta::assert_snapshot!(said(host.fetch().through(&standby)), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/circle/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it points to `http://127.0.0.1:[port]`, and that to another one; no cache available

    hint: is this OpenBao's address, and nothing in between that answers in its place? See `docs/runbook/no-cache.md`
    ");
}

/// Returns the memory limit of the unit of a fetch, as the NixOS module renders it.
fn memory_of_the_unit() -> u64 {
    let rendered = "../../tests/units/rendered.json";
    let rendered = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(rendered);
    let text = std::fs::read_to_string(rendered).unwrap();
    let nodes: serde_json::Value = serde_json::from_str(&text).unwrap();
    let unit = &nodes["web01"]["units"]["vault-secret-db.service"];
    let line = unit
        .as_str()
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("MemoryMax="));
    let gibibytes: u64 = line.unwrap().strip_suffix('G').unwrap().parse().unwrap();
    gibibytes << 30
}

#[test]
fn the_largest_answer_fits_into_the_memory_of_a_unit() {
    zts_testkit::require_bao!();
    let host = Host::new("largest");
    let largest = 64 << 20;
    let metadata = r#"{"version":1,"created_time":"2026-11-28T20:00:00Z"}"#;
    let value = "x".repeat(largest - 200);
    let body = format!(r#"{{"data":{{"data":{{"k":"{value}"}},"metadata":{metadata}}}}}"#);
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Body(body));
    let (output, peak) = host
        .fetch()
        .cached()
        .through(&proxy)
        .start()
        .finish_with_peak_memory();
    output.assert_success();
    // of files in /run, the set in place and the one before it count, too
    let held = (peak << 10) + 2 * largest as u64;
    println!("measured: {} MiB, files included", held >> 20);
    assert!(held < memory_of_the_unit(), "{held} bytes");
}
