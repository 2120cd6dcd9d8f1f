//! OpenBao that cannot be used: asked again within the deadline, and the token is not lost.

use std::time::Duration;

use testkit::{BlackHole, Output, Proxy, Server, SilentAddress, Trouble};

use crate::host::{NewHost, Unwrap};

/// Gives up within the deadline, and the token stays unused.
#[track_caller]
fn gives_up(host: &NewHost, run: Unwrap<'_>) -> Output {
    let output = run.deadline("700ms").run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.time < testkit::busy(Duration::from_secs(4)),
        "{:?}",
        output.time
    );
    assert_eq!(host.stored(), None);
    output
}

#[test]
fn a_port_that_refuses() {
    testkit::require_bao!();
    let host = NewHost::new("refuses");
    let refused = testkit::refused_address();
    insta::assert_snapshot!(gives_up(&host, host.unwrap().address(refused.address())), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between
    ");
    assert!(host.token_is_unused());
}

#[test]
fn a_port_that_accepts_and_never_answers() {
    testkit::require_bao!();
    let host = NewHost::new("never-answers");
    let hole = BlackHole::open();
    insta::assert_snapshot!(gives_up(&host, host.unwrap().address(hole.address())), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between
    ");
    assert!(host.token_is_unused());
}

#[test]
fn an_address_that_swallows_every_packet() {
    testkit::require_bao!();
    let host = NewHost::new("swallows");
    let silent = SilentAddress::open();
    gives_up(&host, host.unwrap().address(silent.address()));
    assert!(host.token_is_unused());
}

#[test]
fn a_sealed_server() {
    testkit::require_bao!();
    let host = NewHost::on(Server::dev(), "sealed");
    host.server.seal();
    insta::assert_snapshot!(gives_up(&host, host.unwrap()), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed

    hint: unseal it with `bao operator unseal`
    ");
    host.server.unseal();
    host.unwrap().succeed();
    host.assert_has_its_credentials();
}

#[test]
fn a_page_of_html() {
    testkit::require_bao!();
    let host = NewHost::new("html");
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Trouble::Html);
    gives_up(&host, host.unwrap().through(&proxy));
    proxy.behave().always(Trouble::Status(404));
    insta::assert_snapshot!(gives_up(&host, host.unwrap().through(&proxy)), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 404 without its words

    hint: is this OpenBao's address, and nothing in between that answers in its place?
    ");
    assert!(host.token_is_unused());
}

#[test]
fn a_server_that_ends_the_connection() {
    testkit::require_bao!();
    let host = NewHost::new("empty-reply");
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Trouble::Close);
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
fn a_server_that_comes_up_late() {
    testkit::require_bao!();
    let host = NewHost::new("late");
    let proxy = Proxy::to(&host.server.address());
    proxy
        .first(1, Trouble::Status(503))
        .first(2, Trouble::Close);
    host.unwrap().through(&proxy).deadline("20s").succeed();
    host.assert_has_its_credentials();
}

#[test]
fn of_two_servers_one_is_enough() {
    testkit::require_bao!();
    let host = NewHost::new("one-of-two");
    let refused = testkit::refused_address();
    let order = format!("{},{}", refused.address(), host.server.address());
    host.unwrap().address(order).succeed();
    host.assert_has_its_credentials();
}

#[test]
fn a_token_is_used_once_although_the_answer_is_lost() {
    testkit::require_bao!();
    let host = NewHost::new("lost-answer");
    let proxy = Proxy::to(&host.server.address());
    proxy.on("sys/wrapping/unwrap", Trouble::Truncate(20));
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
    insta::assert_snapshot!(host.unwrap().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token is used up: this host itself began to use it and was interrupted, or holds what it gave

    hint: issue a new one with `create-host --force`, and hand it to this host
    ");
}

#[test]
fn a_request_that_was_lost_on_its_way_can_be_made_again() {
    testkit::require_bao!();
    let host = NewHost::new("lost-request");
    let proxy = Proxy::to(&host.server.address());
    proxy.on("sys/wrapping/unwrap", Trouble::Close);
    let output = host.unwrap().through(&proxy).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(host.token_is_unused());
    host.unwrap().succeed();
    host.assert_has_its_credentials();
}

#[test]
fn a_slow_server_is_waited_for_once_the_token_is_being_used() {
    testkit::require_bao!();
    let host = NewHost::new("slow");
    let proxy = Proxy::to(&host.server.address());
    proxy.on(
        "sys/wrapping/unwrap",
        Trouble::Delay(Duration::from_millis(1500)),
    );
    host.unwrap().through(&proxy).deadline("1s").succeed();
    host.assert_has_its_credentials();
}

#[test]
fn a_deadline_of_any_length_is_taken() {
    testkit::require_bao!();
    let host = NewHost::new("ages");
    host.unwrap().deadline("18446744073709551615s").succeed();
}
