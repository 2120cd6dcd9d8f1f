//! Several servers are one.

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
