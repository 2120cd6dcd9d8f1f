//! Servers that do not answer.

use std::time::{Duration, Instant};

use serde_json::json;
use zts_testkit::{Fault, Proxy, Server, Signal, closed_port, wait_for};

use crate::site::{declarations, plan, plan_without_server, secret};

#[test]
fn a_sealed_server_is_an_error() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.seal();
    let declared = declarations("web01", &[("db", secret("hosts/web01/db", &json!({})))]);
    insta::assert_snapshot!(plan(&server, &declared).run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed

    hint: unseal it with `bao operator unseal`; see `docs/runbook/node-sealed.md`
    ");
}

#[test]
fn an_unreachable_server_is_one_error() {
    let hosts: serde_json::Map<_, _> = (0..200)
        .map(|number| {
            let name = format!("host{number}");
            let db = secret(&format!("hosts/{name}/db"), &json!({}));
            (name.clone(), declarations(&name, &[("db", db)]))
        })
        .collect();
    let refused = closed_port();
    let run = plan_without_server(&hosts.into())
        .env("BAO_ADDR", refused.address())
        .env("BAO_TOKEN", "s.x");
    let output = run.run().assert_status(1);
    assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
    assert!(
        output.stderr.contains("connection refused") && output.stdout.is_empty(),
        "{output}"
    );
}

#[test]
fn an_interrupted_run_ends_at_once() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let declared = declarations("web01", &[("db", secret("hosts/web01/db", &json!({})))]);
    let proxy = Proxy::to(&server.address());
    proxy.always(Fault::Hang);
    let mut running = plan(&server, &declared)
        .env("BAO_ADDR", proxy.address())
        .start();
    wait_for("the first request", || {
        (!proxy.requests().is_empty()).then_some(())
    });
    assert!(running.is_running());
    running.signal(Signal::INT);
    let signalled = Instant::now();
    let output = running.finish();
    assert!(
        output.code().is_none() && output.stdout.is_empty(),
        "{output}"
    );
    // well before the request times out, after half a minute
    assert!(
        signalled.elapsed() < zts_testkit::scale_timeout(Duration::from_secs(2)),
        "{output}"
    );
}

#[test]
fn a_rate_limit_only_takes_longer() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.add_host("limited");
    let names: Vec<_> = (0..8).map(|number| format!("s{number}")).collect();
    let secrets: Vec<_> = names
        .iter()
        .map(|name| {
            (
                name.as_str(),
                secret(&format!("hosts/limited/{name}"), &json!({})),
            )
        })
        .collect();
    for name in &names {
        server.put_secret(
            &format!("hosts/limited/{name}"),
            &json!({ "key": "hunter2" }),
        );
    }
    server.write(
        "sys/quotas/rate-limit/slow",
        &json!({ "path": "secret/", "rate": 5 }),
    );
    let output = plan(&server, &declarations("limited", &secrets)).succeed();
    assert!(
        output.stdout.starts_with("limited: 8 secrets, all there"),
        "{output}"
    );
    assert!(
        output.time > Duration::from_millis(500),
        "nothing was limited: {output}"
    );
}
