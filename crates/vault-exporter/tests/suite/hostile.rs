//! What answers in a node's place, and means no good; and clients without number.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use testkit::{Proxy, Server, Trouble};

use crate::{Exporter, run};

#[test]
fn a_long_name_does_not_come_into_the_page() {
    testkit::require_bao!();
    let server = Server::dev();
    let long = "x".repeat(30 << 20);
    let of = |kind: &str, name: &str| {
        format!(
            r#"{{"type":"{kind}","sealed":true,"initialized":true,"t":3,"progress":0,"version":"2.7.2","cluster_name":"{name}"}}"#
        )
    };
    for body in [
        of("shamir", &long),
        of(&long, "a"),
        of("shamir", &long[..900_000]),
    ] {
        let proxy = Proxy::to(&server.address());
        proxy.always(Trouble::Body(body));
        let output = run(&[&format!("--node=a={}", proxy.address()), "--once"]).run();
        assert_eq!(output.code(), Some(0), "{output}");
        assert!(
            output.stdout.len() < 20_000,
            "{} bytes",
            output.stdout.len()
        );
        assert!(output.stdout.contains(r#"reason="answer""#), "{output}");
    }
}

/// A thousand clients that say nothing, and ever new ones, do not keep a scrape from its answer.
#[test]
fn a_scrape_is_answered_beside_a_thousand_idle_connections() {
    testkit::require_bao!();
    let server = Server::dev();
    let exporter = Exporter::start(run(&[&format!("--node=a={}", server.address())]));
    let open = |count: usize| -> Vec<TcpStream> {
        (0..count)
            .map_while(|_| TcpStream::connect(&exporter.address).ok())
            .collect()
    };
    let (soft, _) = {
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        (limits.current.unwrap_or(u64::MAX), limits.maximum)
    };
    let count = usize::try_from(soft)
        .unwrap_or(usize::MAX)
        .saturating_sub(100)
        .min(1000);
    let mut idle = open(count);
    for stream in idle.iter_mut().step_by(3) {
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHo"); // it may have been left already
    }
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(exporter.scrape().node("up", "a"), Some(1));
        let took = began.elapsed();
        eprintln!("a scrape beside {} idle connections: {took:?}", idle.len());
        assert!(took < Duration::from_secs(4), "{took:?}");
        idle.drain(..count / 10);
        idle.extend(open(count / 10));
    }
}

/// Who asks and does not take the answer delays nobody else's.
#[test]
fn clients_that_take_no_answer_are_left() {
    testkit::require_bao!();
    let server = Server::dev();
    let folder = testkit::scratch_dir();
    let lines: String = (0..20_000)
        .flat_map(|n| ["a_".to_owned(), n.to_string(), " 1234567890\n".to_owned()])
        .collect();
    std::fs::write(folder.join("a.prom"), lines).unwrap();
    let exporter = Exporter::start(run(&[
        &format!("--node=a={}", server.address()),
        "--textfile-directory",
        folder.to_str().unwrap(),
    ]));
    let mut greedy: Vec<_> = (0..50).map(|_| exporter.connect()).collect();
    for stream in &mut greedy {
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
    }
    let began = Instant::now();
    let page = exporter.scrape();
    assert!(page.text.contains("a_19999 1234567890"));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}
