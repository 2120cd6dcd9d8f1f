//! Several addresses of one cluster. A failed node costs a fetch one connect timeout at most, and
//! the next fetch nothing.

use std::{fs, slice, time::Duration};

use serde_json::json;
use zts_testkit::{
    BlackHole, Cluster, Fault, Proxy, Run, RunOutput, ScratchDir, Server, SilentListener, mode,
    set_mode,
};

use crate::host::{Host, cluster_with_web01, files, files_in};

/// The connect timeout of the program.
const CONNECT: Duration = Duration::from_secs(2);

/// A cluster of three nodes that have the secret of a host, and the folder of the host.
struct Hosted {
    cluster: Cluster,
    folder: ScratchDir,
}

impl Hosted {
    fn start() -> Self {
        let (mut cluster, folder) = cluster_with_web01();
        let leader = cluster.active_node();
        // A copy: a killed server takes its folder with it.
        fs::copy(leader.ca_certificate().unwrap(), folder.join("ca.pem")).unwrap();
        leader.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
        let hosted = Self { cluster, folder };
        for address in hosted.addresses() {
            hosted.wait_for(&address);
        }
        hosted
    }

    /// Returns the addresses of all nodes.
    fn addresses(&self) -> Vec<String> {
        let addresses = self.cluster.addresses();
        addresses.split(',').map(str::to_owned).collect()
    }

    fn node(&mut self, address: &str) -> &mut Server {
        let mut nodes = self.cluster.nodes().iter_mut();
        nodes.find(|node| node.address() == address).unwrap()
    }

    /// Waits until this node serves the secret.
    fn wait_for(&self, address: &String) {
        zts_testkit::wait_for("the node serves the secret", || {
            let output = self.run(slice::from_ref(address));
            (output.code() == Some(0)).then_some(())
        });
    }

    fn run(&self, addresses: &[String]) -> RunOutput {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg("hosts/web01/db");
        let run = run.arg(self.folder.join("run/db"));
        let run = run.arg("--approle-dir").arg(self.folder.join("approle"));
        let run = run.arg("--runtime-dir").arg(self.folder.join("notes"));
        let run = run.env("BAO_CACERT", self.folder.join("ca.pem"));
        run.env("BAO_ADDR", addresses.join(",")).run()
    }

    /// Fetches as after a reboot, in less than `most`, and then once more, in almost no time.
    #[track_caller]
    fn fetch_twice(&self, what: &str, addresses: &[String], most: Duration) {
        for left in ["run", "notes"] {
            let _ = fs::remove_dir_all(self.folder.join(left));
        }
        let [first, second] = [(); 2].map(|()| {
            let output = self.run(addresses);
            // while another leader is elected
            let leaderless = what.contains("lead") || what.contains("three");
            let leaderless = leaderless && output.stderr.contains("finds no leader");
            let quiet = output.code() == Some(0) && (output.stderr.is_empty() || leaderless);
            assert!(quiet, "{what}: {output}");
            let found = files_in(&self.folder.join("run/db"));
            assert_eq!(found, files([("password", "hunter2")]), "{what}");
            output.time
        });
        eprintln!("{what}: {first:?}, then {second:?}");
        assert!(first < most, "{what}: {first:?}");
        assert!(second < CONNECT, "{what}, once more: {second:?}");
    }
}

/// Returns `first`, and then the others of `all`.
fn beginning_with(first: &[&str], all: &[String]) -> Vec<String> {
    let others = all.iter().map(String::as_str);
    let others = others.filter(|address| !first.contains(address));
    let order = first.iter().copied().chain(others);
    order.map(str::to_owned).collect()
}

fn encrypted(address: &str) -> String {
    address.replace("http:", "https:")
}

#[test]
fn a_fetch_waits_for_one_failing_node_at_most() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let all = hosted.addresses();
    let fetch = |hosted: &Hosted, what, first: &[&str], most| {
        hosted.fetch_twice(what, &beginning_with(first, &all), most);
    };

    let ports = (
        zts_testkit::closed_port(),
        [(); 2].map(|()| BlackHole::open()),
    );
    let refused = encrypted(&ports.0.address());
    let silent = ports.1.each_ref().map(|port| encrypted(&port.address()));
    let [silent, another] = silent.each_ref().map(String::as_str);
    fetch(&hosted, "all live", &[], CONNECT);
    fetch(&hosted, "one refuses", &[&refused], CONNECT);
    fetch(&hosted, "one is silent", &[silent], 2 * CONNECT);
    fetch(&hosted, "two are", &[silent, another], 2 * CONNECT);
    let three = [refused.as_str(), silent, another];
    fetch(&hosted, "and one refuses", &three, CONNECT);

    let leader = hosted.cluster.active_node().address();
    let standby = hosted.cluster.standbys()[0].address();
    fetch(&hosted, "a standby", &[&standby], CONNECT);
    hosted.node(&standby).pause();
    fetch(&hosted, "a paused standby", &[&standby], 2 * CONNECT);
    hosted.node(&standby).resume();
    hosted.node(&standby).restart_sealed();
    fetch(&hosted, "a sealed standby", &[&standby], CONNECT);
    hosted.node(&standby).unseal();
    hosted.wait_for(&standby);

    hosted.node(&leader).pause();
    fetch(&hosted, "a paused leader", &[&leader], 2 * CONNECT);
    hosted.node(&leader).resume();
    let leader = hosted.cluster.active_node().address();
    hosted.node(&leader).kill();
    fetch(&hosted, "a killed leader", &[&leader], 2 * CONNECT);
    let leader = hosted.cluster.active_node().address();
    hosted.node(&leader).kill();
    fetch(&hosted, "two of three", &[&leader], 2 * CONNECT);
}

#[test]
fn with_a_copy_many_dead_nodes_leave_time_for_the_one_that_lives() {
    zts_testkit::require_bao!();
    let host = Host::new("many-dead").with_cached(&json!({ "password": "hunter2" }));
    host.put(&json!({ "password": "a-newer-one" }));
    let silent = [(); 4].map(|()| BlackHole::open());
    let mut addresses = silent.each_ref().map(BlackHole::address).to_vec();
    addresses.push(host.server.address());
    // the default would do where nothing else runs
    let fetch = host.fetch().cached_after(Duration::from_secs(4));
    fetch.address(addresses.join(",")).succeed_silently();
    assert_eq!(host.files(), files([("password", "a-newer-one")]));
}

/// A host whose secret can be read through each of two proxies.
struct TwoProxies {
    host: Host,
    proxies: [Proxy; 2],
}

impl TwoProxies {
    fn new(name: &str) -> Self {
        let host = Host::new(name);
        host.put(&json!({ "password": "hunter2" }));
        let proxies = [(); 2].map(|()| Proxy::to(&host.server.address()));
        Self { host, proxies }
    }

    /// Fetches, and returns the number of requests for the secret through each proxy so far.
    #[track_caller]
    fn fetch(&self) -> [usize; 2] {
        let addresses = self.proxies.each_ref().map(Proxy::address).join(",");
        self.host.fetch().address(addresses).succeed_silently();
        self.proxies.each_ref().map(|proxy| {
            let requests = proxy.requests().into_iter();
            requests.filter(|hit| hit.path.contains("/data/")).count()
        })
    }

    fn noted_address(&self) -> String {
        let text = fs::read(self.note()).unwrap();
        let noted: serde_json::Value = serde_json::from_slice(&text).unwrap();
        noted["address"].as_str().unwrap().to_owned()
    }

    fn note(&self) -> std::path::PathBuf {
        self.host.runtime_dir().join("server")
    }
}

#[test]
fn the_server_that_answered_last_is_asked_first_by_the_next_fetch() {
    zts_testkit::require_bao!();
    let two = TwoProxies::new("remembered");
    assert_eq!(two.fetch(), [1, 0]);
    assert!(!two.note().exists(), "the first server needs no note");
    two.proxies[0].always(Fault::Status(503));
    assert_eq!(two.fetch(), [2, 1]);
    assert_eq!(two.fetch(), [2, 2]);
    assert_eq!(two.noted_address(), two.proxies[1].address());
    assert_eq!(mode(&two.note()), "0600");
    two.proxies[0].clear_faults();
    assert_eq!(
        two.fetch(),
        [2, 3],
        "the server that answered stays the first"
    );
    two.proxies[1].always(Fault::Status(503));
    assert_eq!(two.fetch(), [3, 4]);
    assert_eq!(two.fetch(), [4, 4], "the first one again");
}

#[test]
fn a_note_never_leads_to_a_server_that_is_not_configured() {
    zts_testkit::require_bao!();
    let two = TwoProxies::new("led-astray");
    let hole = SilentListener::open();
    assert_eq!(two.fetch(), [1, 0]);
    fs::write(two.note(), hole.address()).unwrap();
    set_mode(&two.note(), 0o600);
    assert_eq!(two.fetch(), [2, 0]);
    assert_eq!(hole.connections(), 0);
}

#[test]
fn a_damaged_note_is_ignored_and_so_is_one_that_cannot_be_written() {
    zts_testkit::require_bao!();
    let two = TwoProxies::new("no-note");
    assert_eq!(two.fetch(), [1, 0]);
    fs::write(two.note(), [0xff; 9000]).unwrap();
    assert_eq!(two.fetch(), [2, 0]);
    fs::remove_file(two.note()).unwrap();
    fs::create_dir(two.note()).unwrap();
    two.proxies[0].always(Fault::Status(503));
    assert_eq!(two.fetch(), [3, 1]);
    assert_eq!(two.fetch(), [4, 2], "in the order of the list each time");
    let left = fs::read_dir(two.host.runtime_dir()).unwrap().flatten();
    let drafts = left.filter(|entry| {
        let name = entry.file_name().into_string().unwrap();
        name.starts_with("server.")
    });
    assert_eq!(drafts.count(), 0);
}

#[test]
fn many_fetches_at_once_keep_one_note() {
    zts_testkit::require_bao!();
    let two = TwoProxies::new("all-at-once");
    two.proxies[0].always(Fault::Status(503));
    let addresses = two.proxies.each_ref().map(Proxy::address).join(",");
    let runs: Vec<_> = (0..16)
        .map(|number| {
            let output = two.host.path(&format!("secrets/s{number}"));
            let fetch = two.host.fetch().address(&addresses).to(output);
            fetch.start()
        })
        .collect();
    for run in runs {
        run.finish().assert_success();
    }
    assert_eq!(two.noted_address(), two.proxies[1].address());
}
