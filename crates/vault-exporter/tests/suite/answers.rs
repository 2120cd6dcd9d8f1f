//! Responses of the HTTP server, also to clients that misbehave.

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use zts_testkit::{Server, Signal, closed_port};

use crate::{Exporter, run};

fn exporter() -> Exporter {
    let refused = closed_port();
    let node = format!("--node=a={}", refused.address());
    Exporter::start(run(&[&node]))
}

#[test]
fn only_metrics_are_served() {
    let exporter = exporter();
    for (request, status) in [
        ("GET /metrics?a=b HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK"),
        ("GET / HTTP/1.0\r\n\r\n", "200 OK"),
        ("GET /../etc/passwd HTTP/1.1\r\n\r\n", "404 Not Found"),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "405 Method Not Allowed",
        ),
        ("\x16\x03\x01\x02 TLS", "400 Bad Request"),
        ("GET /ü HTTP/1.1\r\n\r\n", "404 Not Found"),
    ] {
        let (head, _) = exporter.request(request);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")) || request.contains('ü'),
            "{request}: {head}"
        );
    }
    let (head, body) = exporter.request("HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert_eq!(body, "");
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(20_000));
    let (head, _) = exporter.request(&long[..16 << 10]);
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

/// Clients that send nothing or half a request delay no scrape, and are disconnected.
#[test]
fn hanging_clients_are_disconnected() {
    let exporter = exporter();
    let began = Instant::now();
    let mut hanging: Vec<_> = (0..8).map(|_| exporter.connect()).collect();
    for stream in &mut hanging[..4] {
        stream.write_all(b"GET /me").unwrap();
    }
    exporter.scrape();
    assert!(
        began.elapsed() < zts_testkit::scale_timeout(Duration::from_secs(9)),
        "{:?}",
        began.elapsed()
    );
    for stream in &mut hanging {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }
}

#[test]
fn scrapes_run_concurrently_until_a_signal() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let node = format!("--node=a={}", server.address());
    let mut exporter = Exporter::start(run(&[&node]));
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(exporter.scrape().node("up", "a"), Some(1)));
        }
    });
    exporter.process.signal(Signal::TERM);
    let output = exporter.process.finish();
    output.assert_reports("listens on 127.0.0.1:");
}

#[test]
fn an_address_in_use_is_an_error() {
    let first = exporter();
    run(&["--node=http://127.0.0.1:1", "--listen", &first.address]).fail(1, &first.address);
}
