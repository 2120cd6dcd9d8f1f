//! What is written, and read again at once, on clusters of three.

use std::time::Duration;

use openbao::{Client, Error, Trouble, approle, wrapping};
use serde_json::{Value, json};
use testkit::{Cluster, Proxy, Turn};

use crate::client::{client, root_client};

/// Writes a role, reads its id and wraps it, each through a new client as a program does.
fn write_read_wrap(client: &Client, role: &str) -> Result<(), Error> {
    let settings = json!({ "token_policies": ["default"] });
    approle::write_role(client, "approle", role, &settings)?;
    approle::role_id(client, "approle", role)?;
    let wrapped = wrapping::wrap(client, &json!({ "key": "value" }), Duration::from_secs(60))?;
    wrapping::unwrap::<Value>(client, &wrapped.token).map(drop)
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::start(3);
    cluster.leader().enable_approle();
    cluster
}

fn twelve_runs(cluster: &mut Cluster, addresses: &[String]) {
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    for run in 0..12 {
        let client = root_client(cluster.leader(), &addresses).active();
        let done = write_read_wrap(&client, &format!("role-{run}"));
        assert!(done.is_ok(), "run {run}: {done:?}");
    }
}

#[test]
fn a_list_that_begins_with_standbys_leads_to_the_active_node() {
    testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.standbys_first();
    twelve_runs(&mut cluster, &list);
    let client = client(&[&list[0], &list[2]]);
    client.find_active().unwrap();
    assert_eq!(client.address().to_string(), list[2]);
}

#[test]
fn a_standby_alone_leads_to_the_active_node() {
    testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.standbys_first();
    twelve_runs(&mut cluster, &list[..1]);
    let client = client(&[&list[0]]);
    let Err(Error::Unavailable { attempts }) = client.find_active() else {
        panic!("a standby is not the active node");
    };
    let Trouble::Standby {
        leader: Some(leader),
    } = &attempts[0].trouble
    else {
        panic!("{attempts:?}");
    };
    assert_eq!(leader.to_string(), list[2]);
}

#[test]
fn a_balancer_leads_to_the_active_node() {
    testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.standbys_first();
    for turn in [Turn::Connection, Turn::Request] {
        let balancer = Proxy::balancer(&list, turn);
        twelve_runs(&mut cluster, &[balancer.address()]);
    }
}

#[test]
fn a_standby_alone_reads_what_is_old() {
    testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.standbys_first();
    // the same without `active`: were it no failure, the tests above would show nothing
    let failed = (0..12).filter(|run| {
        let client = root_client(cluster.leader(), &[&list[0]]);
        write_read_wrap(&client, &format!("role-{run}")).is_err()
    });
    assert_eq!(failed.count(), 12);
}

#[test]
fn a_new_leader_is_waited_for() {
    testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.standbys_first();
    let client = root_client(cluster.leader(), &[&list[0], &list[1]]).active();
    write_read_wrap(&client, "before").unwrap();
    cluster.leader().kill();
    write_read_wrap(&client, "after").unwrap();
}
