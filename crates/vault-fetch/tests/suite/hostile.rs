//! Servers, and what answers in their place, that mean no good.

use serde_json::json;
use testkit::{Output, Proxy, Trouble, shown_of};

use crate::host::{Host, files};

/// Nothing that was sent as a credential is in it, in whatever encoding.
fn assert_unsaid(host: &Host, output: &Output) {
    let said = format!("{}{}", output.stdout, output.stderr);
    for secret in [&host.credentials.role_id, &host.credentials.secret_id] {
        let shown = shown_of(secret, &said);
        assert_eq!(shown, None, "{said}");
    }
}

#[test]
fn an_error_that_repeats_the_request_shows_no_credentials() {
    testkit::require_bao!();
    let host = Host::new("echo").with_cached(&json!({ "password": "hunter2" }));
    for status in [400, 401, 403, 404, 429, 500, 503] {
        for login in ["inline", "login"] {
            for cached in [true, false] {
                let proxy = Proxy::to(&host.server.address());
                proxy.always(Trouble::Echo(status));
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

/// The login is good; what is asked with the token is repeated.
#[test]
fn an_error_that_repeats_a_token_shows_none_of_it() {
    testkit::require_bao!();
    let host = Host::new("echoed-token");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.on("GET /v1/secret/", Trouble::Echo(403));
    let fetch = host.fetch().through(&proxy).deadline("1s");
    let output = fetch.args(["--authentication", "login"]).run();
    let hits = proxy.requests();
    let token = hits.iter().flat_map(|hit| &hit.headers);
    let mut token = token
        .filter(|(name, _)| name == "x-vault-token")
        .map(|(_, value)| value);
    let token = token.next_back().expect("a token was sent");
    assert!(output.stderr.contains("[redacted]"), "{output}");
    assert_eq!(shown_of(token, &output.stderr), None, "{output}");
}

#[test]
fn a_refusal_of_fifty_megabytes_is_a_short_line() {
    testkit::require_bao!();
    let host = Host::new("long-refusal");
    let sizes = [(403, 50 << 20), (403, 500 << 10), (500, 500 << 10)];
    for (status, bytes) in sizes {
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Trouble::LongRefusal(status, bytes));
        let run = host.fetch().through(&proxy).deadline("1s").start();
        let (output, peak) = run.finish_weighed();
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.len() < 1200, "{} bytes", output.stderr.len());
        assert!(peak < 30_000, "{peak} KiB");
    }
}

/// From `http://` to `https://` on the same host: nothing more is sent in the clear, and it says where to.
#[test]
fn a_redirect_to_https_is_told() {
    testkit::require_bao!();
    let host = Host::new("moved");
    for status in [301, 302, 307, 308] {
        let proxy = Proxy::to(&host.server.address());
        let target = format!("https://127.0.0.1/v1/secret/data/{}", host.secret());
        proxy.always(Trouble::Moved(status, target));
        let output = host.fetch().through(&proxy).deadline("5s").run();
        assert_eq!(output.code(), Some(1), "{output}");
        for part in [
            "points to `https://127.0.0.1`",
            "hint: if that is OpenBao",
            "--address https://127.0.0.1",
        ] {
            assert!(output.stderr.contains(part), "{part}: {output}");
        }
        assert_eq!(proxy.requests().len(), 1, "asking again helps nobody");
    }
}

#[test]
fn a_redirect_that_names_no_host_stays_on_it() {
    testkit::require_bao!();
    let host = Host::new("relative");
    host.put(&json!({ "password": "hunter2" }));
    for status in [301, 302, 307, 308] {
        let proxy = Proxy::to(&host.server.address());
        let target = format!("/v1/secret/data/{}", host.secret());
        proxy.first(1, Trouble::Moved(status, target));
        host.fetch().through(&proxy).succeed();
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
}

/// Another host gets nothing: neither by a redirect, nor by one to another path.
#[test]
fn a_redirect_to_a_stranger_gets_nothing() {
    testkit::require_bao!();
    let host = Host::new("stranger");
    let stranger = Proxy::to(&host.server.address());
    let port = stranger.address().replace("http://127.0.0.1:", "");
    for target in [
        format!("http://127.0.0.2:{port}/v1/secret/data/{}", host.secret()),
        format!("http://localhost:{port}/v1/secret/data/{}", host.secret()),
        format!("{}/v1/secret/data/elsewhere", stranger.address()),
    ] {
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Trouble::Redirect(target.clone()));
        let output = host.fetch().through(&proxy).deadline("1s").run();
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.contains("points to `"), "{output}");
    }
    assert_eq!(stranger.connections(), 0);
    // named by the configuration, it is one of the cluster
    host.put(&json!({ "password": "hunter2" }));
    let named = format!("http://localhost:{port}");
    let proxy = Proxy::to(&host.server.address());
    let target = format!("{named}/v1/secret/data/{}", host.secret());
    proxy.always(Trouble::Redirect(target));
    let both = format!("{},{named}", proxy.address());
    host.fetch().address(both).succeed();
    let reads = stranger.requests().into_iter();
    let reads = reads.filter(|hit| hit.path.starts_with("/v1/secret/data/"));
    assert_eq!(reads.count(), 1);
}
