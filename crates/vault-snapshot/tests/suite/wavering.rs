//! Servers that fail in the middle.

use std::time::Duration;

use testkit::{Cluster, Proxy, Trouble, refused_address};

use crate::site::{Site, fill, names, vault_snapshot};

const SNAPSHOT: &str = "GET /v1/sys/storage/raft/snapshot";

#[test]
fn a_stream_that_ends_too_early_is_no_snapshot() {
    testkit::require_bao!();
    let site = Site::new();
    for trouble in [
        Trouble::Truncate(0),
        Trouble::Truncate(700),
        Trouble::Truncate(1_500_000),
        Trouble::Close,
        Trouble::Status(503),
        Trouble::Status(200),
        Trouble::Html,
        Trouble::Hang,
    ] {
        let proxy = Proxy::to(&site.server.address());
        proxy.on(SNAPSHOT, trouble.clone());
        let output = site
            .save_from(&proxy.address())
            .args(["--wait", "1s", "--silence", "1s"])
            .run();
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert_eq!(names(&site.folder), [""; 0], "{trouble:?}");
    }
}

#[test]
fn it_is_tried_again() {
    testkit::require_bao!();
    let site = Site::new();
    let proxy = Proxy::to(&site.server.address());
    // the leader's state, its identity, and then the snapshot
    proxy.first(4, Trouble::Truncate(40));
    let output = site.save_from(&proxy.address()).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stderr.contains("tries again"), "{output}");
    assert_eq!(site.verify_all().code(), Some(0));
}

#[test]
fn a_sealed_server_and_none_at_all_say_so() {
    testkit::require_bao!();
    let site = Site::new();
    let refused = refused_address();
    let output = site
        .save_from(&refused.address())
        .args(["--wait", "1s"])
        .run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("no connection"), "{output}");
    site.server.seal();
    let output = site.save().args(["--wait", "1s"]).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("it is sealed"), "{output}");
    assert_eq!(names(&site.folder), [""; 0]);
}

/// The active node is found whatever the order of the addresses, also while another becomes it.
#[test]
fn a_leader_that_dies_costs_a_try() {
    testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    fill(cluster.leader(), 40, 50_000);
    let folder = testkit::scratch_dir();
    let dir = folder.display().to_string();
    let token = cluster.leader().root_token().to_owned();
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
        let leader = cluster.leader().address();
        cluster.leader().kill();
        let output = running.finish();
        assert_eq!(output.code(), Some(0), "{output}");
        let all = cluster.nodes();
        let dead = all
            .iter_mut()
            .find(|node| node.address() == leader)
            .unwrap();
        dead.restart();
    }
    let verified = vault_snapshot(&["verify", "--all", "--dir", &dir]).run();
    assert_eq!(verified.code(), Some(0), "{verified}");
    assert_eq!(verified.stdout.lines().count(), 4, "{verified}");
}
