//! Clusters of three nodes.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use zts_openbao::{AppRoleCredentials, approle, wrapping};
use zts_testkit::{Balancing, Cluster, Fault, Proxy};

use crate::site::{Call, IP, Site};

/// The source of OpenBao's address.
enum Address {
    Variable(String),
    FleetToml(String),
}

struct Hosted {
    cluster: Cluster,
    root_token: String,
}

impl Hosted {
    fn start() -> Self {
        let mut cluster = Cluster::start(3);
        let leader = cluster.active_node();
        leader.enable_approle();
        let root_token = leader.root_token().to_owned();
        Self {
            cluster,
            root_token,
        }
    }

    fn create<'a>(&self, site: &'a Site, address: &Address) -> Call<'a> {
        let call = site
            .bare()
            .args(["--hostname", &site.host, "--ip", IP, "--apply", "api"]);
        let call = call.token(&self.root_token);
        match address {
            Address::Variable(list) => call.env("BAO_ADDR", list),
            Address::FleetToml(list) => {
                let text = site.fleet.read("fleet.toml");
                let named = "https://openbao.example.internal:8200";
                site.fleet.write("fleet.toml", text.replace(named, list));
                call
            }
        }
    }

    /// Returns the accessors of the secret ids, as the active node has them.
    fn accessors(&mut self, host: &str) -> Vec<String> {
        let client = self.cluster.active_node().client();
        approle::secret_id_accessors(&client, "approle", host).unwrap()
    }

    /// Checks that the token in `vms.tf` gives valid credentials.
    fn assert_complete(&mut self, site: &Site) {
        #[derive(Deserialize)]
        struct Pair {
            role_id: SecretString,
            secret_id: SecretString,
        }
        let client = self.cluster.active_node().anonymous_client();
        let token = SecretString::from(site.token().unwrap());
        let Pair { role_id, secret_id } = wrapping::unwrap(&client, &token).unwrap();
        let credentials = AppRoleCredentials { role_id, secret_id };
        assert!(approle::login(&client, "approle", &credentials).is_ok());
        assert_eq!(self.accessors(&site.host).len(), 1);
    }
}

#[test]
fn all_runs_succeed_with_any_node() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let nodes = hosted.cluster.addresses_active_last();
    let by_connection = Proxy::load_balancer(&nodes, Balancing::PerConnection);
    let by_request = Proxy::load_balancer(&nodes, Balancing::PerRequest);
    let ways = [
        ("variable", Address::Variable(nodes.join(","))),
        ("fleet-toml", Address::FleetToml(nodes.join(","))),
        ("standby", Address::Variable(nodes[0].clone())),
        ("by-connection", Address::Variable(by_connection.address())),
        ("by-request", Address::Variable(by_request.address())),
    ];
    for (way, address) in &ways {
        for run in 0..12 {
            let site = Site::without_server(&format!("{way}-{run}"));
            hosted.create(&site, address).succeed();
            hosted.assert_complete(&site);
        }
        // replacing and removing credentials both read objects that were just written
        let site = Site::without_server(&format!("{way}-again"));
        hosted.create(&site, address).succeed();
        hosted.create(&site, address).args(["--force"]).succeed();
        hosted.assert_complete(&site);
        let remove = ["--hostname", &site.host, "--remove", "--apply", "api"];
        let Address::Variable(list) = address else {
            continue;
        };
        let run = site.bare().token(&hosted.root_token).env("BAO_ADDR", list);
        run.args(remove).succeed();
        assert!(hosted.accessors(&site.host).is_empty());
        let role = format!("auth/approle/role/{}", site.host);
        assert!(hosted.cluster.active_node().read(&role).is_none());
    }
}

#[test]
fn a_run_that_fails_behind_a_standby_leaves_no_secret_id() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let nodes = hosted.cluster.addresses_active_last();
    for turn in [Balancing::PerConnection, Balancing::PerRequest] {
        for trouble in [Fault::Status(500), Fault::Close, Fault::Truncate(20)] {
            let site = Site::without_server("fails");
            let balancer = Proxy::load_balancer(&nodes, turn);
            let address = Address::Variable(balancer.address());
            balancer.on("sys/wrapping/wrap", trouble.clone());
            let output = hosted.create(&site, &address).run();
            assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
            assert!(
                hosted.accessors("fails").is_empty(),
                "{trouble:?}: {output}"
            );

            balancer.clear_faults().once_on(
                "POST /v1/auth/approle/role/fails/secret-id",
                Fault::Truncate(20),
            );
            let output = hosted.create(&site, &address).run();
            assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
            assert!(
                hosted.accessors("fails").is_empty(),
                "{trouble:?}: {output}"
            );
        }
    }
}

#[test]
fn a_run_continues_with_the_next_leader() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let nodes = hosted.cluster.addresses_active_last();
    let first = Proxy::to(&nodes[0]);
    first.on("sys/wrapping/wrap", Fault::Delay(Duration::from_secs(1)));
    let site = Site::without_server("midway");
    let address = Address::Variable(format!("{},{}", first.address(), nodes[1]));
    let running = hosted.create(&site, &address).start();
    zts_testkit::wait_for("the secret id is issued", || {
        let mut hits = first.requests().into_iter();
        hits.find(|hit| hit.path.ends_with("sys/wrapping/wrap"))
    });
    hosted.cluster.active_node().kill();
    running.finish().assert_success();
    hosted.assert_complete(&site);
}
