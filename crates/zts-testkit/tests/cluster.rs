//! Several servers are one.

use std::fs;

use serde_json::json;
use zts_openbao::{Client, Settings, Trust, sys};
use zts_testkit::Cluster;

#[test]
fn standbys_answer_for_the_leader_and_one_of_them_follows_it() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    cluster
        .active_node()
        .put_secret("a", &json!({ "key": "value" }));
    assert_eq!(cluster.standbys().len(), 2);
    for standby in cluster.standbys() {
        // A standby answers reads by itself and may be a moment behind.
        let found = zts_testkit::wait_for("the standby has the secret", || {
            standby.read("secret/data/a")
        });
        assert_eq!(found["data"]["key"], "value");
    }
    let authority = cluster.active_node().ca_certificate().unwrap();
    let first = cluster.active_node().address();
    cluster.active_node().kill();
    let next = cluster.active_node();
    assert_ne!(next.address(), first);
    let found = zts_testkit::wait_for("the new leader serves", || next.read("secret/data/a"));
    assert_eq!(found["data"]["key"], "value");

    let mut settings =
        Settings::new(zts_openbao::Address::parse_list(&cluster.addresses()).unwrap());
    settings.trust = Trust::Bundle(authority);
    assert!(
        !sys::seal_status(&Client::new(settings).unwrap())
            .unwrap()
            .sealed
    );
}

#[test]
fn requests_wait_for_the_end_of_an_election() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    cluster.active_node().kill();
    let node = cluster
        .nodes()
        .iter()
        .find(|node| node.process_id().is_some())
        .unwrap();
    node.put_secret("a", &json!({ "key": "value" }));
    let found = zts_testkit::wait_for("the new leader serves", || node.read("secret/data/a"));
    assert_eq!(found["data"]["key"], "value");
}

#[test]
fn nodes_that_end_one_after_the_other_leave_no_folder() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_differing_audit(3);
    let folders: Vec<_> = cluster
        .nodes()
        .iter()
        .map(|node| node.storage().parent().unwrap().to_owned())
        .collect();
    fs::remove_dir_all(&folders[0]).unwrap();
    zts_testkit::wait_for("another node makes it anew", || {
        folders[0].exists().then_some(())
    });
    drop(cluster);
    for folder in folders {
        assert!(!folder.exists(), "{}", folder.display());
    }
}
