//! Proxies and addresses show the faults that a test asks for.
#![expect(
    clippy::unwrap_used,
    reason = "what the helpers below cannot do fails their test"
)]

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use zts_testkit::{BlackHole, CertificateKind, Fault, Proxy, Server, SilentListener};

const SHORT: Duration = Duration::from_millis(400);

fn socket(address: &str) -> SocketAddr {
    address.split_once("://").unwrap().1.parse().unwrap()
}

/// Returns the bytes that a server sends until it closes the connection or is silent.
fn request(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(socket(address)).unwrap();
    stream
        .set_read_timeout(Some(zts_testkit::scale_timeout(SHORT)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes); // a timeout ends it, too
    String::from_utf8(bytes).unwrap()
}

const HEALTH: &str = "/v1/sys/health";

#[test]
fn a_proxy_counts_what_passes() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    let answer = request(&proxy.address(), HEALTH);
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(r#""sealed":false"#),
        "{answer}"
    );
    assert_eq!((proxy.connections(), proxy.requests().len()), (1, 1));
    assert_eq!(
        (
            proxy.requests()[0].method.as_str(),
            proxy.requests()[0].path.as_str()
        ),
        ("GET", HEALTH)
    );
    assert_eq!(proxy.bytes_to_clients(), answer.len() as u64);
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    let settings = zts_openbao::Settings::new(vec![proxy.address().parse().unwrap()]);
    let client = zts_openbao::Client::new(settings).unwrap();
    for _ in 0..3 {
        zts_openbao::sys::seal_status(&client).unwrap();
    }
    assert_eq!((proxy.connections(), proxy.requests().len()), (1, 3));
}

#[test]
fn a_proxy_spoils_the_first_answers_or_some_paths_only() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    proxy.first(2, Fault::Status(503));
    assert!(request(&proxy.address(), HEALTH).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(request(&proxy.address(), HEALTH).starts_with("HTTP/1.1 503 "));
    assert!(request(&proxy.address(), HEALTH).starts_with("HTTP/1.1 200 "));
    proxy.on("seal-status", Fault::Html);
    assert!(request(&proxy.address(), "/v1/sys/seal-status").contains("<!doctype html>"));
    assert!(request(&proxy.address(), HEALTH).contains("sealed"));
}

#[test]
fn a_proxy_sends_nonsense() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    let whole = request(&proxy.address(), HEALTH);
    proxy.always(Fault::Truncate(10));
    let cut = request(&proxy.address(), HEALTH);
    assert!(
        cut.contains("content-length: ") && cut.ends_with(r#"{"initiali"#),
        "{cut} of {whole}"
    );
    proxy
        .clear_faults()
        .always(Fault::Body("not JSON".to_owned()));
    assert!(request(&proxy.address(), HEALTH).ends_with("\r\n\r\nnot JSON"));
    proxy.clear_faults().always(Fault::Close);
    assert_eq!(request(&proxy.address(), HEALTH), "");
    proxy.clear_faults().always(Fault::Huge(100_000_000));
    assert_eq!(
        request(&proxy.address(), HEALTH)
            .split_once("\r\n\r\n")
            .unwrap()
            .1
            .len(),
        100_000_000
    );
}

#[test]
fn a_proxy_is_slow_or_silent() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    let start = Instant::now();
    proxy.always(Fault::Delay(SHORT / 2));
    assert!(request(&proxy.address(), HEALTH).contains("sealed"));
    assert!(start.elapsed() >= SHORT / 2);
    proxy.clear_faults().always(Fault::Hang);
    assert_eq!(request(&proxy.address(), HEALTH), "");
    assert_eq!(proxy.requests().len(), 2, "the request arrived");
    proxy
        .clear_faults()
        .always(Fault::Trickle(Duration::from_millis(1)));
    let start = Instant::now();
    let answer = request(&proxy.address(), HEALTH);
    assert!(
        start.elapsed() >= Duration::from_millis(answer.len() as u64),
        "{answer}"
    );
}

#[test]
fn tls_passes_through_a_proxy_unread() {
    zts_testkit::require_bao!();
    let server = Server::builder().tls(CertificateKind::Valid).start();
    let proxy = Proxy::to(&server.address());
    let mut settings = zts_openbao::Settings::new(vec![proxy.address().parse().unwrap()]);
    settings.trust = zts_openbao::Trust::Bundle(server.ca_certificate().unwrap());
    let client = || zts_openbao::Client::new(settings.clone()).unwrap();
    zts_openbao::sys::seal_status(&client()).unwrap();
    assert_eq!((proxy.connections(), proxy.requests().len()), (1, 0));
    assert!(
        proxy.bytes_to_clients() > 500,
        "a handshake and an answer: {}",
        proxy.bytes_to_clients()
    );
    proxy.always(Fault::Truncate(100));
    zts_openbao::sys::seal_status(&client()).unwrap_err();
}

#[test]
fn a_black_hole_accepts_and_never_answers() {
    let hole = SilentListener::open();
    assert_eq!(request(&hole.address(), HEALTH), "");
    assert_eq!(hole.connections(), 1);
    // Its end is looked for on a connection of our own: a new one may already meet another test,
    // which was given the port next.
    let mut waiting = TcpStream::connect(socket(&hole.address())).unwrap();
    waiting.set_read_timeout(Some(SHORT)).unwrap();
    assert!(waiting.read(&mut [0]).is_err(), "it answers nothing");
    drop(hole);
    let ended = waiting.read(&mut [0]);
    assert!(
        matches!(&ended, Ok(0))
            || matches!(&ended, Err(error) if error.kind() == ErrorKind::ConnectionReset),
        "{ended:?}"
    );
}

#[test]
fn connecting_to_a_silent_address_hangs() {
    let silent = BlackHole::open();
    for _ in 0..2 {
        let start = Instant::now();
        let error = TcpStream::connect_timeout(&socket(&silent.address()), SHORT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
    }
}

#[test]
fn a_refused_address_refuses_and_cannot_be_taken() {
    let refused = zts_testkit::closed_port();
    let address = socket(&refused.address());
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    let others: Vec<_> = (0..50)
        .map(|_| zts_testkit::closed_port().address())
        .collect();
    assert!(!others.contains(&refused.address()));
    drop(refused);
    TcpListener::bind(address).unwrap();
}
