//! OpenBao is unavailable: it is tried again within a deadline, then the cache is used.

use std::time::{Duration, Instant};

use serde_json::json;
use zts_testkit::{BlackHole, Fault, Proxy, RunOutput, Server, SilentListener};

use crate::host::{Fetch, Host, files, shared_server};

/// Runs a fetch without a cache and with a short deadline.
fn fails(fetch: Fetch<'_>) -> RunOutput {
    let output = fetch.deadline("600ms").run().assert_status(1);
    assert!(
        output.time < zts_testkit::scale_timeout(Duration::from_secs(5)),
        "{:?}",
        output.time
    );
    output
}

/// Creates a host with the secret in the cache only.
fn in_the_cache(name: &str) -> Host {
    let host = Host::new(name).with_cached(&json!({ "password": "hunter2" }));
    std::fs::remove_dir_all(host.output()).unwrap();
    host
}

#[track_caller]
fn assert_from_cache(host: &Host, output: &RunOutput) {
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(host.files(), files([("password", "hunter2")]));
    let time = output.time;
    eprintln!("from the cache in {time:?}");
    assert!(
        time < zts_testkit::scale_timeout(Duration::from_secs(3)),
        "{time:?}: a service waits"
    );
}

/// Without a terminal the other tests' snapshots have no such line.
#[test]
fn a_terminal_shows_what_is_waited_for() {
    zts_testkit::require_bao!();
    let script = zts_testkit::require_program!("script");
    let host = Host::new("waits");
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().address(refused.address()).deadline("2500ms");
    let shown = fetch.run_on_terminal(&script).assert_status(1);
    shown.assert_prints("trying again: OpenBao at `http:");
    shown.assert_prints(", at most until ");
    let widest = shown
        .stdout
        .split(['\r', '\n'])
        .filter(|line| line.contains("trying again"));
    for line in widest {
        let text = line.replace("\u{1b}[2K", "");
        assert!(text.chars().count() < 80, "{text}");
    }
}

#[test]
fn a_port_that_refuses() {
    zts_testkit::require_bao!();
    let host = in_the_cache("refused");
    let refused = zts_testkit::closed_port();
    insta::assert_snapshot!(fails(host.fetch().address(refused.address())), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/refused/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert!(!host.output().exists());
    let output = host.fetch().cached().address(refused.address()).run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; `hosts/refused/db` comes from the cache: version 1, confirmed [duration] ago
    ");
    assert_from_cache(&host, &output);
}

#[test]
fn a_port_that_accepts_and_never_answers() {
    zts_testkit::require_bao!();
    let host = in_the_cache("black-hole");
    let hole = SilentListener::open();
    insta::assert_snapshot!(fails(host.fetch().address(hole.address())), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/black-hole/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    let output = host.fetch().cached().address(hole.address()).run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]; `hosts/black-hole/db` comes from the cache: version 1, confirmed [duration] ago
    ");
    assert_from_cache(&host, &output);
    let https = hole.address().replace("http:", "https:");
    let output = host
        .fetch()
        .cached()
        .address(https)
        .env("BAO_SKIP_VERIFY", "1")
        .run();
    assert_from_cache(&host, &output);
}

#[test]
fn an_address_that_swallows_every_packet() {
    zts_testkit::require_bao!();
    let host = in_the_cache("silent");
    let silent = BlackHole::open();
    insta::assert_snapshot!(fails(host.fetch().address(silent.address())), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/silent/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    let output = host.fetch().cached().address(silent.address()).run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]; `hosts/silent/db` comes from the cache: version 1, confirmed [duration] ago
    ");
    assert_from_cache(&host, &output);
}

#[test]
fn a_name_that_has_no_address() {
    zts_testkit::require_bao!();
    let host = in_the_cache("no-name");
    let output = host
        .fetch()
        .cached()
        .address("http://bao.invalid:8200")
        .succeed();
    output.assert_reports("bao.invalid");
    assert_from_cache(&host, &output);
}

#[test]
fn a_sealed_server() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::dev(), "sealed").with_cached(&json!({ "password": "hunter2" }));
    std::fs::remove_dir_all(host.output()).unwrap();
    host.server.seal();
    insta::assert_snapshot!(fails(host.fetch()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/sealed/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed; no cache available

    hint: unseal it with `bao operator unseal`; see `docs/runbook/node-sealed.md`
    ");
    let output = host.fetch().cached().run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed; `hosts/sealed/db` comes from the cache: version 1, confirmed [duration] ago
    ");
    assert_from_cache(&host, &output);
    host.server.unseal();
    host.put(&json!({ "password": "fresh-again" }));
    host.fetch().cached().succeed_silently();
    assert_eq!(host.files(), files([("password", "fresh-again")]));
}

#[test]
fn errors_of_servers_and_of_proxies() {
    zts_testkit::require_bao!();
    let host = in_the_cache("five-hundred");
    let mut said = String::new();
    for status in [429, 500, 502, 503, 504] {
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Fault::Status(status));
        let output = fails(host.fetch().through(&proxy));
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
        assert!(proxy.requests().len() > 1, "asked again: {status}");
        let output = host.fetch().cached().through(&proxy).run();
        assert_from_cache(&host, &output);
        std::fs::remove_dir_all(host.output()).unwrap();
    }
    insta::assert_snapshot!(zts_testkit::normalize_output(&said), @"
    error: `hosts/five-hundred/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it limits the rate of requests (HTTP status 429); no cache available
    error: `hosts/five-hundred/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; no cache available
    error: `hosts/five-hundred/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 502; no cache available
    error: `hosts/five-hundred/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 503; no cache available
    error: `hosts/five-hundred/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 504; no cache available
    ");
}

#[test]
fn a_server_that_comes_back_in_time_is_asked_again() {
    zts_testkit::require_bao!();
    let host = Host::new("comes-back");
    host.put(&json!({ "password": "hunter2" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.first(1, Fault::Status(503)).first(2, Fault::Close);
    host.fetch().through(&proxy).succeed_silently();
    assert!(proxy.requests().len() >= 3, "{:?}", proxy.requests());
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

#[test]
fn a_busy_server_is_asked_again_although_there_is_a_cache() {
    zts_testkit::require_bao!();
    let host = in_the_cache("busy");
    host.put(&json!({ "password": "a-newer-one" }));
    let proxy = Proxy::to(&host.server.address());
    proxy.first(2, Fault::Status(429));
    host.fetch().cached().through(&proxy).succeed_silently();
    assert_eq!(host.files(), files([("password", "a-newer-one")]));
}

#[test]
fn the_deadline_holds_also_for_an_answer_that_trickles() {
    zts_testkit::require_bao!();
    let host = in_the_cache("trickle");
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Trickle(Duration::from_millis(100)));
    let output = fails(host.fetch().through(&proxy));
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/trickle/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    let output = host.fetch().cached().through(&proxy).run();
    assert_from_cache(&host, &output);
}

#[test]
fn of_two_servers_one_is_enough() {
    zts_testkit::require_bao!();
    let host = Host::new("two");
    host.put(&json!({ "password": "hunter2" }));
    let (refused, hole, silent) = (
        zts_testkit::closed_port(),
        SilentListener::open(),
        BlackHole::open(),
    );
    let unusable = Proxy::to(&host.server.address());
    unusable.always(Fault::Status(503));
    for (dead, what) in [
        (refused.address(), "refuses"),
        (unusable.address(), "errs"),
        (hole.address(), "never answers"),
        (silent.address(), "swallows packets"),
    ] {
        for order in [
            format!("{dead},{}", host.server.address()),
            format!(" {} , {dead} ,", host.server.address()),
        ] {
            let started = Instant::now();
            host.fetch()
                .address(&order)
                .deadline("3s")
                .succeed_silently();
            assert!(
                started.elapsed() < zts_testkit::scale_timeout(Duration::from_secs(3)),
                "one {what}"
            );
            assert_eq!(host.files(), files([("password", "hunter2")]), "one {what}");
            std::fs::remove_dir_all(host.output()).unwrap();
        }
    }
}

#[test]
fn with_a_cache_the_second_server_gets_its_share_of_the_short_deadline() {
    zts_testkit::require_bao!();
    let host = in_the_cache("second");
    host.put(&json!({ "password": "a-newer-one" }));
    let hole = SilentListener::open();
    let order = format!("{},{}", hole.address(), host.server.address());
    let fetch = host.fetch().cached_after(Duration::from_secs(4));
    fetch.address(order).succeed_silently();
    assert_eq!(host.files(), files([("password", "a-newer-one")]));
}

#[test]
fn of_a_sealed_and_an_open_server_the_open_one_is_used() {
    zts_testkit::require_bao!();
    let host = Host::new("one-sealed");
    host.put(&json!({ "password": "hunter2" }));
    let sealed = Server::dev();
    sealed.seal();
    let order = format!("{},{}", sealed.address(), host.server.address());
    host.fetch().address(order).succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

#[test]
fn of_two_dead_servers_both_are_named() {
    zts_testkit::require_bao!();
    let host = Host::new("both-dead");
    let (refused, hole) = (zts_testkit::closed_port(), SilentListener::open());
    let order = format!("{},{}", refused.address(), hole.address());
    insta::assert_snapshot!(fails(host.fetch().address(order)), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/both-dead/db` was not written: none of the 2 OpenBao servers can be used: `http://127.0.0.1:[port]`: no connection: connection refused; `http://127.0.0.1:[port]`: no answer within [duration]; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
}

#[test]
fn a_proxy_in_the_environment_is_not_asked() {
    zts_testkit::require_bao!();
    let host = Host::new("env-proxy");
    host.put(&json!({ "password": "hunter2" }));
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().env("http_proxy", refused.address());
    let fetch = fetch.env("HTTP_PROXY", refused.address());
    fetch.env("ALL_PROXY", refused.address()).succeed_silently();
    drop(shared_server());
}

#[test]
fn without_a_cache_folder_the_error_names_the_flag() {
    zts_testkit::require_bao!();
    let host = Host::new("by-hand").with_cached(&json!({ "password": "hunter2" }));
    let nobody = "http://127.0.0.1:1";
    let by_hand = || host.fetch().address(nobody).deadline("0s");
    // nothing is written there but a note of the failure
    let folder = format!("/run/vault-fetch-by-hand-{}", std::process::id());
    let output = by_hand().to(format!("{folder}/db")).run();
    let _ = std::fs::remove_dir_all(folder); // only root has made it
    assert_eq!(output.code(), Some(1), "{output}");
    let flag = "`--cache-dir /var/lib/vault/cache/db` uses the copy";
    output.assert_reports(flag);
    by_hand().cached().succeed().assert_lacks(flag);
}
