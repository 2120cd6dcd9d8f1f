//! Servers that fail during a snapshot.

use std::time::Duration;

use zts_testkit::{Cluster, Fault, Proxy, closed_port};

use crate::site::{Site, fill, names, vault_snapshot};

const SNAPSHOT: &str = "GET /v1/sys/storage/raft/snapshot";

#[test]
fn an_incomplete_stream_is_no_snapshot() {
    zts_testkit::require_bao!();
    let site = Site::new();
    for trouble in [
        Fault::Truncate(0),
        Fault::Truncate(700),
        Fault::Truncate(1_500_000),
        Fault::Close,
        Fault::Status(503),
        Fault::Status(200),
        Fault::Html,
        Fault::Hang,
    ] {
        let proxy = Proxy::to(&site.server.address());
        proxy.on(SNAPSHOT, trouble.clone());
        let output = site
            .save_from(&proxy.address())
            .args(["--retry-timeout", "1s", "--idle-timeout", "1s"])
            .run();
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert_eq!(names(&site.folder), [""; 0], "{trouble:?}");
    }
}

#[test]
fn a_failed_attempt_is_repeated() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let proxy = Proxy::to(&site.server.address());
    // the leader's state, its identity, and then the snapshot
    proxy.first(4, Fault::Truncate(40));
    let output = site.save_from(&proxy.address()).succeed();
    output.assert_reports("trying again");
    site.verify_all().assert_success();
}

#[test]
fn a_sealed_and_an_unreachable_server_are_reported() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let refused = closed_port();
    site.save_from(&refused.address())
        .args(["--retry-timeout", "1s"])
        .fail(1, "no connection");
    site.server.seal();
    site.save()
        .args(["--retry-timeout", "1s"])
        .fail(1, "it is sealed");
    assert_eq!(names(&site.folder), [""; 0]);
}

/// Finds the active node in any order of the addresses, also during an election.
#[test]
fn the_loss_of_the_leader_is_retried() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    fill(cluster.active_node(), 40, 50_000);
    let folder = zts_testkit::scratch_dir();
    let dir = folder.display().to_string();
    let token = cluster.active_node().root_token().to_owned();
    let addresses = cluster.addresses();
    let save = |addresses: &str| {
        vault_snapshot(&["save", "--dir", &dir])
            .env("BAO_ADDR", addresses)
            .env("BAO_TOKEN", &token)
    };
    let standby = cluster.standbys()[0].address();
    let output = save(&standby).run();
    assert_eq!(
        output.code(),
        Some(0),
        "a standby points to the leader: {output}"
    );
    for _ in 0..3 {
        let running = save(&addresses).start();
        std::thread::sleep(Duration::from_millis(30));
        let leader = cluster.active_node().address();
        cluster.active_node().kill();
        running.finish().assert_success();
        let all = cluster.nodes();
        let dead = all
            .iter_mut()
            .find(|node| node.address() == leader)
            .unwrap();
        dead.restart();
    }
    let verified = vault_snapshot(&["verify", "--all", "--dir", &dir]).succeed();
    assert_eq!(verified.stdout.lines().count(), 4, "{verified}");
}
