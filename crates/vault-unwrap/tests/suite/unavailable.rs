//! Unavailable servers: requests are retried until the deadline, and the token is not lost.

use std::time::Duration;

use zts_testkit::{BlackHole, Fault, Proxy, RunOutput, Server, SilentListener};

use crate::host::{NewHost, Unwrap};

/// Asserts that the run fails at the deadline and that the token stays unused.
#[track_caller]
fn assert_gives_up(host: &NewHost, run: Unwrap<'_>) -> RunOutput {
    let output = run.deadline("700ms").run().assert_status(1);
    assert!(
        output.time < zts_testkit::scale_timeout(Duration::from_secs(4)),
        "{:?}",
        output.time
    );
    assert_eq!(host.stored(), None);
    output
}

#[test]
fn a_refused_connection() {
    zts_testkit::require_bao!();
    let host = NewHost::new("refuses");
    let refused = zts_testkit::closed_port();
    insta::assert_snapshot!(assert_gives_up(&host, host.unwrap().address(refused.address())), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/openbao-unreachable.md`
    ");
    assert!(host.token_is_unused());
}

#[test]
fn a_server_that_never_answers() {
    zts_testkit::require_bao!();
    let host = NewHost::new("never-answers");
    let hole = SilentListener::open();
    insta::assert_snapshot!(assert_gives_up(&host, host.unwrap().address(hole.address())), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/openbao-unreachable.md`
    ");
    assert!(host.token_is_unused());
}

#[test]
fn an_address_that_drops_every_packet() {
    zts_testkit::require_bao!();
    let host = NewHost::new("swallows");
    let silent = BlackHole::open();
    assert_gives_up(&host, host.unwrap().address(silent.address()));
    assert!(host.token_is_unused());
}

#[test]
fn a_sealed_server() {
    zts_testkit::require_bao!();
    let host = NewHost::on(Server::dev(), "sealed");
    host.server.seal();
    insta::assert_snapshot!(assert_gives_up(&host, host.unwrap()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed

    hint: unseal it with `bao operator unseal`; see `docs/runbook/node-sealed.md`
    ");
    host.server.unseal();
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn an_html_answer() {
    zts_testkit::require_bao!();
    let host = NewHost::new("html");
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Html);
    assert_gives_up(&host, host.unwrap().through(&proxy));
    proxy.clear_faults().always(Fault::Status(404));
    insta::assert_snapshot!(assert_gives_up(&host, host.unwrap().through(&proxy)), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 404 without OpenBao's `errors`

    hint: is this OpenBao's address, and nothing in between that answers in its place?
    ");
    assert!(host.token_is_unused());
}

#[test]
fn a_closed_connection() {
    zts_testkit::require_bao!();
    let host = NewHost::new("empty-reply");
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Close);
    insta::assert_snapshot!(host.unwrap().through(&proxy).deadline("1s").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: it closed the connection without an answer (peer disconnected)

    hint: the log of the server at that address says why, or that of what is in between
    ");
    assert!(host.token_is_unused());
}

#[test]
fn a_server_that_starts_late() {
    zts_testkit::require_bao!();
    let host = NewHost::new("late");
    let proxy = Proxy::to(&host.server.address());
    proxy.first(1, Fault::Status(503)).first(2, Fault::Close);
    host.unwrap()
        .through(&proxy)
        .deadline("20s")
        .succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn one_of_two_servers_is_enough() {
    zts_testkit::require_bao!();
    let host = NewHost::new("one-of-two");
    let refused = zts_testkit::closed_port();
    let order = format!("{},{}", refused.address(), host.server.address());
    host.unwrap().address(order).succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn a_token_is_sent_once_although_the_answer_is_lost() {
    zts_testkit::require_bao!();
    let host = NewHost::new("lost-answer");
    let proxy = Proxy::to(&host.server.address());
    proxy.on("sys/wrapping/unwrap", Fault::Truncate(20));
    let two = format!("{},{}", proxy.address(), proxy.address());
    insta::assert_snapshot!(host.unwrap().address(two).deadline("5s").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it ends too early (peer disconnected); whether the token was used up is not known

    hint: run vault-unwrap again; if the token is refused then, issue a new one with `create-host --force`
    ");
    let used = proxy
        .requests()
        .into_iter()
        .filter(|hit| hit.path.ends_with("unwrap"));
    assert_eq!(used.count(), 1, "a second time could only be refused");
    assert!(!host.token_is_unused());
    insta::assert_snapshot!(host.unwrap().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token is used up: this host itself began to use it and was interrupted, or holds what it gave

    hint: issue a new one with `create-host --force`, and hand it to this host; see `docs/runbook/wrapping-token-used.md`
    ");
}

#[test]
fn a_lost_request_can_be_repeated() {
    zts_testkit::require_bao!();
    let host = NewHost::new("lost-request");
    let proxy = Proxy::to(&host.server.address());
    proxy.on("sys/wrapping/unwrap", Fault::Close);
    host.unwrap().through(&proxy).run().assert_status(1);
    assert!(host.token_is_unused());
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn the_answer_to_a_used_token_is_waited_for() {
    zts_testkit::require_bao!();
    let host = NewHost::new("slow");
    let proxy = Proxy::to(&host.server.address());
    proxy.on(
        "sys/wrapping/unwrap",
        Fault::Delay(Duration::from_millis(1500)),
    );
    host.unwrap()
        .through(&proxy)
        .deadline("1s")
        .succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn a_deadline_of_any_length_is_accepted() {
    zts_testkit::require_bao!();
    let host = NewHost::new("ages");
    host.unwrap()
        .deadline("18446744073709551615s")
        .succeed_silently();
}
