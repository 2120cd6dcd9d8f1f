//! Repeated replacement of the CA while a client sends requests.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use zts_openbao::{Client, Settings, Trust, sys};
use zts_testkit::Server;

use crate::{Fleet, assert_output, clock};

/// The period of a CA in seconds.
const SHORT: u64 = 5;

#[test]
fn a_client_that_fetches_once_a_period_is_never_refused() {
    zts_testkit::require_bao!();
    let fleet = Fleet::with_period(&format!("{SHORT}s"));
    fleet.renew("node", clock(), &[]);
    let first = authorities(&fleet);
    fs::copy(fleet.path("node/ca.pem"), fleet.path("followed.pem")).unwrap();
    let mut server = fleet.serve("node");
    let (stop, address) = (AtomicBool::new(false), server.address());
    let (well, failed) = thread::scope(|scope| {
        let asking = scope.spawn(|| send_requests_until(&fleet, &address, &stop));
        let end = StopAtTheEnd(&stop);
        let followed = keep_current(&fleet, &mut server);
        assert_eq!(followed, 3, "a new CA in each period");
        drop(end);
        asking.join().unwrap()
    });
    assert_eq!(failed, Vec::<String>::new(), "beside {well} that went well");
    assert!(well > 100, "only {well} requests");
    assert!(first.is_disjoint(&authorities(&fleet)));
}

/// Stops the client's thread on `Drop`, so that a failed test ends.
struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs the node's timer ten times a second and the client's once a period, for three periods.
/// Returns the number of changes of the client's bundle.
fn keep_current(fleet: &Fleet, server: &mut Server) -> usize {
    let began = Instant::now();
    let mut looked = 0;
    let mut followed = 0;
    while looked < 3 {
        let renewed = fleet.renew("node", clock(), &[]).assert_success();
        if renewed.stdout.trim() == "changed" {
            server.reload();
        }
        if began.elapsed() >= Duration::from_secs(SHORT * (looked + 1)) {
            looked += 1;
            let output = fleet
                .fetch("followed.pem", &[&server.address()], &[])
                .assert_success();
            followed += usize::from(output.stdout.trim() == "changed");
        }
        thread::sleep(Duration::from_millis(100));
    }
    followed
}

/// Sends requests, each with a new connection and the current bundle. Returns the number of
/// successes and the errors.
fn send_requests_until(fleet: &Fleet, address: &str, stop: &AtomicBool) -> (usize, Vec<String>) {
    let mut well = 0;
    let mut failed = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let mut settings = Settings::new(vec![address.parse().unwrap()]);
        settings.trust = Trust::Bundle(fleet.path("followed.pem"));
        match Client::new(settings).and_then(|client| sys::seal_status(&client)) {
            Ok(_) => well += 1,
            Err(error) => failed.push(error.to_string()),
        }
        thread::sleep(Duration::from_millis(10));
    }
    (well, failed)
}

fn authorities(fleet: &Fleet) -> BTreeSet<String> {
    fleet.certificates("node/ca.pem").into_iter().collect()
}

#[test]
fn a_clock_a_year_ahead_is_corrected_while_the_server_runs() {
    zts_testkit::require_bao!();
    let (fleet, now) = (Fleet::new(), clock());
    fleet.renew("node", now, &[]);
    fs::copy(fleet.path("node/ca.pem"), fleet.path("client.pem")).unwrap();
    let mut server = fleet.serve("node");
    let address = server.address();
    let is_trusted = || fleet.fetch("client.pem", &[&address], &[]).code() == Some(0);
    assert!(is_trusted());
    assert_output(&fleet.renew("node", now + 365 * 86_400, &[]), "changed");
    server.reload();
    zts_testkit::wait_for("the certificate of next year", || {
        (!is_trusted()).then_some(())
    });
    assert_output(&fleet.renew("node", clock(), &[]), "changed");
    server.reload();
    zts_testkit::wait_for("the certificate of now", || is_trusted().then_some(()));
    assert_eq!(fleet.text("client.pem"), fleet.text("node/ca.pem"));
}
