//! Malicious responses in place of a node's, and floods of clients.

use std::{
    io::Write,
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use zts_testkit::{BlackHole, Fault, Proxy, Server};

use crate::{Exporter, run};

#[test]
fn long_names_are_refused() {
    zts_testkit::require_bao!();
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
        proxy.always(Fault::Body(body));
        let output = run(&[&format!("--node=a={}", proxy.address()), "--once"]).succeed();
        assert!(
            output.stdout.len() < 20_000,
            "{} bytes",
            output.stdout.len()
        );
        output.assert_prints(r#"reason="answer""#);
    }
}

/// A thousand silent clients, some of which reconnect all the time, do not prevent a scrape.
#[test]
fn scrapes_succeed_beside_a_thousand_idle_connections() {
    zts_testkit::require_bao!();
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
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHo"); // it may be closed already
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

/// Calls a function when it is dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// No scrape fails while more clients than there are connections scrape all the time.
#[test]
fn scrapes_succeed_beside_hundreds_of_scraping_clients() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let silent = BlackHole::open(); // a page takes so long that all clients wait at once
    let exporter = Exporter::start(run(&[
        &format!("--node=a={}", server.address()),
        &format!("--node=b={}", silent.address()),
        "--timeout=500ms",
    ]));
    let finished = AtomicBool::new(false);
    let slowest = thread::scope(|scope| {
        // Also after a failed scrape, or the clients would never end.
        let _finish = OnDrop(|| finished.store(true, Ordering::Relaxed));
        for _ in 0..400 {
            scope.spawn(|| {
                while !finished.load(Ordering::Relaxed) {
                    exporter.scrape();
                }
            });
        }
        let times = (0..20).map(|_| {
            let started = Instant::now();
            assert_eq!(exporter.scrape().node("up", "a"), Some(1));
            started.elapsed()
        });
        times.max()
    });
    eprintln!("the slowest scrape: {slowest:?}");
    assert!(
        slowest < Some(zts_testkit::scale_timeout(Duration::from_secs(5))),
        "{slowest:?}"
    );
}

/// Clients that do not read their responses do not delay others.
#[test]
fn clients_that_do_not_read_delay_no_scrape() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let folder = zts_testkit::scratch_dir();
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
        began.elapsed() < zts_testkit::scale_timeout(Duration::from_secs(8)),
        "{:?}",
        began.elapsed()
    );
}
