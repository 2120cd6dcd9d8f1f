//! Hostile servers and proxies.

use serde_json::json;
use zts_testkit::{Fault, Proxy, RunOutput, find_leak};

use crate::host::{Host, files};

/// Asserts that no credential is in the output, in any encoding.
fn assert_unsaid(host: &Host, output: &RunOutput) {
    let said = format!("{}{}", output.stdout, output.stderr);
    for secret in [&host.credentials.role_id, &host.credentials.secret_id] {
        let shown = find_leak(secret, &said);
        assert_eq!(shown, None, "{said}");
    }
}

#[test]
fn an_error_that_repeats_the_request_shows_no_credentials() {
    zts_testkit::require_bao!();
    let host = Host::new("echo").with_cached(&json!({ "password": "hunter2" }));
    for status in [400, 401, 403, 404, 429, 500, 503] {
        for login in ["inline", "login"] {
            for cached in [true, false] {
                let proxy = Proxy::to(&host.server.address());
                proxy.always(Fault::Echo(status));
                let fetch = host.fetch().through(&proxy).deadline("1s");
                let fetch = fetch.args(["--authentication", login]);
                let fetch = if cached { fetch.cached() } else { fetch };
                let output = fetch.run();
                assert!(!output.stderr.is_empty(), "{status}: {output}");
                assert_unsaid(&host, &output);
            }
        }
    }
}

/// The login succeeds. The error of the next request repeats the request.
#[test]
fn an_error_that_repeats_a_token_shows_none_of_it() {
    zts_testkit::require_bao!();
    let host = Host::new("echoed-token");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.on("GET /v1/secret/", Fault::Echo(403));
    let fetch = host.fetch().through(&proxy).deadline("1s");
    let output = fetch.args(["--authentication", "login"]).run();
    let hits = proxy.requests();
    let token = hits.iter().flat_map(|hit| &hit.headers);
    let mut token = token
        .filter(|(name, _)| name == "x-vault-token")
        .map(|(_, value)| value);
    let token = token.next_back().expect("a token was sent");
    output.assert_reports("[redacted]");
    assert_eq!(find_leak(token, &output.stderr), None, "{output}");
}

#[test]
fn a_refusal_of_fifty_megabytes_is_a_short_line() {
    zts_testkit::require_bao!();
    let host = Host::new("long-refusal");
    let sizes = [(403, 50 << 20), (403, 500 << 10), (500, 500 << 10)];
    for (status, bytes) in sizes {
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Fault::LongError(status, bytes));
        let run = host.fetch().through(&proxy).deadline("1s").start();
        let (output, peak) = run.finish_with_peak_memory();
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.len() < 1200, "{} bytes", output.stderr.len());
        assert!(peak < 30_000, "{peak} KiB");
    }
}

/// The redirect leads from `http://` to `https://` on the same host. Nothing more is sent in the
/// clear, and the message has the new address.
#[test]
fn a_redirect_to_https_is_reported() {
    zts_testkit::require_bao!();
    let host = Host::new("moved");
    for status in [301, 302, 307, 308] {
        let proxy = Proxy::to(&host.server.address());
        let target = format!("https://127.0.0.1/v1/secret/data/{}", host.secret());
        proxy.always(Fault::RedirectWith(status, target));
        let output = host
            .fetch()
            .through(&proxy)
            .deadline("5s")
            .run()
            .assert_status(1);
        for part in [
            "points to `https://127.0.0.1`",
            "hint: if that is OpenBao",
            "--address https://127.0.0.1",
        ] {
            output.assert_reports(part);
        }
        assert_eq!(proxy.requests().len(), 1, "asking again helps nobody");
    }
}

#[test]
fn a_redirect_that_names_no_host_stays_on_it() {
    zts_testkit::require_bao!();
    let host = Host::new("relative");
    host.put(&json!({ "password": "hunter2" }));
    for status in [301, 302, 307, 308] {
        let proxy = Proxy::to(&host.server.address());
        let target = format!("/v1/secret/data/{}", host.secret());
        proxy.first(1, Fault::RedirectWith(status, target));
        host.fetch().through(&proxy).succeed_silently();
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

/// Another host gets nothing by a redirect, nor by one to another path.
#[test]
fn a_redirect_to_a_stranger_gets_nothing() {
    zts_testkit::require_bao!();
    let host = Host::new("stranger");
    let stranger = Proxy::to(&host.server.address());
    let port = stranger.address().replace("http://127.0.0.1:", "");
    for target in [
        format!("http://127.0.0.2:{port}/v1/secret/data/{}", host.secret()),
        format!("http://localhost:{port}/v1/secret/data/{}", host.secret()),
        format!("{}/v1/secret/data/elsewhere", stranger.address()),
    ] {
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Fault::Redirect(target.clone()));
        host.fetch()
            .through(&proxy)
            .deadline("1s")
            .fail(1, "points to `");
    }
    assert_eq!(stranger.connections(), 0);
    // named by the configuration, it is one of the cluster
    host.put(&json!({ "password": "hunter2" }));
    let named = format!("http://localhost:{port}");
    let proxy = Proxy::to(&host.server.address());
    let target = format!("{named}/v1/secret/data/{}", host.secret());
    proxy.always(Fault::Redirect(target));
    let both = format!("{},{named}", proxy.address());
    host.fetch().address(both).succeed_silently();
    let reads = stranger.requests().into_iter();
    let reads = reads.filter(|hit| hit.path.starts_with("/v1/secret/data/"));
    assert_eq!(reads.count(), 1);
}
