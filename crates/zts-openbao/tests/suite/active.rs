//! Clients of the active node, on clusters of three.

use std::time::Duration;

use serde_json::{Value, json};
use zts_openbao::{Client, Error, approle, wrapping};
use zts_testkit::{Balancing, Cluster, Fault, Proxy};

use crate::clients::{client, root_client};

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
    cluster.active_node().enable_approle();
    cluster
}

fn assert_twelve_runs(cluster: &mut Cluster, addresses: &[String]) {
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    for run in 0..12 {
        let client = root_client(cluster.active_node(), &addresses).active();
        let result = write_read_wrap(&client, &format!("role-{run}"));
        assert!(result.is_ok(), "run {run}: {result:?}");
    }
}

#[test]
fn a_list_that_begins_with_standbys_leads_to_the_active_node() {
    zts_testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.addresses_active_last();
    assert_twelve_runs(&mut cluster, &list);
    let client = client(&[&list[0], &list[2]]);
    client.find_active().unwrap();
    assert_eq!(client.address().to_string(), list[2]);
}

#[test]
fn a_standby_alone_leads_to_the_active_node() {
    zts_testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.addresses_active_last();
    assert_twelve_runs(&mut cluster, &list[..1]);
    let client = client(&[&list[0]]);
    let Err(Error::Unavailable { attempts }) = client.find_active() else {
        panic!("a standby is not the active node");
    };
    let zts_openbao::NodeError::Standby {
        leader: Some(leader),
    } = &attempts[0].error
    else {
        panic!("{attempts:?}");
    };
    assert_eq!(leader.to_string(), list[2]);
}

#[test]
fn a_load_balancer_leads_to_the_active_node() {
    zts_testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.addresses_active_last();
    for turn in [Balancing::PerConnection, Balancing::PerRequest] {
        let balancer = Proxy::load_balancer(&list, turn);
        assert_twelve_runs(&mut cluster, &[balancer.address()]);
    }
}

/// Tests a storage without a numeric index, and a proxy that drops OpenBao's headers.
#[test]
fn a_cluster_without_an_index_is_searched_for_the_active_node() {
    zts_testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.addresses_active_last();
    for index in ["0/16B3748", ""] {
        let proxies: Vec<_> = list.iter().map(|address| Proxy::to(address)).collect();
        for proxy in &proxies {
            proxy.always(Fault::Header("x-vault-index", index.to_owned()));
        }
        let addresses: Vec<_> = proxies.iter().map(Proxy::address).collect();
        assert_twelve_runs(&mut cluster, &addresses);
    }
}

#[test]
fn a_standby_alone_reads_old_data() {
    zts_testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.addresses_active_last();
    // without `active`, all runs fail: the tests above depend on it
    let failed = (0..12).filter(|run| {
        let client = root_client(cluster.active_node(), &[&list[0]]);
        write_read_wrap(&client, &format!("role-{run}")).is_err()
    });
    assert_eq!(failed.count(), 12);
}

#[test]
fn a_client_waits_for_a_new_leader() {
    zts_testkit::require_bao!();
    let mut cluster = cluster();
    let list = cluster.addresses_active_last();
    let client = root_client(cluster.active_node(), &[&list[0], &list[1]]).active();
    write_read_wrap(&client, "before").unwrap();
    cluster.active_node().kill();
    write_read_wrap(&client, "after").unwrap();
}
