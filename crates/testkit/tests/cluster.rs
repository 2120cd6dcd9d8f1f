//! Several servers are one.

use openbao::{Client, Settings, Trust, sys};
use serde_json::json;
use testkit::Cluster;

#[test]
fn standbys_answer_for_the_leader_and_one_of_them_follows_it() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    cluster.leader().put_secret("a", &json!({ "key": "value" }));
    assert_eq!(cluster.standbys().len(), 2);
    for standby in cluster.standbys() {
        // A standby answers reads by itself and may be a moment behind.
        let found = testkit::wait_for("the standby has the secret", || {
            standby.read("secret/data/a")
        });
        assert_eq!(found["data"]["key"], "value");
    }
    let authority = cluster.leader().ca_certificate().unwrap();
    let first = cluster.leader().address();
    cluster.leader().kill();
    let next = cluster.leader();
    assert_ne!(next.address(), first);
    let found = testkit::wait_for("the new leader serves", || next.read("secret/data/a"));
    assert_eq!(found["data"]["key"], "value");

    let mut settings = Settings::new(openbao::Address::parse_list(&cluster.addresses()).unwrap());
    settings.trust = Trust::Bundle(authority);
    assert!(
        !sys::seal_status(&Client::new(settings).unwrap())
            .unwrap()
            .sealed
    );
}
