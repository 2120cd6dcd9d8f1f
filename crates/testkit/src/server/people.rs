//! A cluster whose unseal key is in the hands of people, and what people do to its nodes: what the
//! procedures in `docs/how-to` are tried on.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use openbao::sys;
use serde_json::{Value, json};

use super::{Builder, Certificate, Cluster, Keys, Server};
use crate::{Certificates, wait_for};

/// How many shares there are, and how many of them unseal: OpenBao's defaults.
const SHARES: usize = 5;
const THRESHOLD: usize = 3;

impl Cluster {
    /// Three nodes `bao1`, `bao2`, `bao3` with TLS that all know of each other, as the NixOS module makes
    /// them, unsealed; and the five key shares, of which three unseal.
    ///
    /// # Panics
    /// Where the cluster does not come about.
    pub fn of_people() -> (Self, Vec<String>) {
        Self::of_people_with(&Builder::default())
    }

    /// The same, but for audit devices, which each node declares with a path of its own, as no node should.
    ///
    /// # Panics
    /// Where the cluster does not come about.
    pub fn of_people_with_audit_that_differs() -> (Self, Vec<String>) {
        Self::of_people_with(&Builder::default().audit())
    }

    fn of_people_with(options: &Builder) -> (Self, Vec<String>) {
        let certificates = std::sync::Arc::new(Certificates::new());
        let node = |name: &str| Builder {
            tls: Some(Certificate::Good),
            certificates: Some(certificates.clone()),
            raft: Some(name.to_owned()),
            ..options.clone()
        };
        let mut nodes = ["bao1", "bao2", "bao3"].map(|name| node(name).prepare());
        introduce(&nodes);
        thread::scope(|scope| {
            for node in &mut nodes {
                scope.spawn(|| node.launch());
            }
        });
        let shares = initialise(&mut nodes);
        nodes[0].unseal_by(&shares);
        nodes[0].wait_for_leader();
        nodes[0].write(
            "sys/storage/raft/autopilot/configuration",
            // By default 10 s each. Followers report every 5 s.
            &json!({ "server_stabilization_time": "200ms", "last_contact_threshold": "8s" }),
        );
        thread::scope(|scope| {
            for node in &nodes[1..] {
                scope.spawn(|| {
                    node.wait_until_initialised();
                    node.unseal_by(&shares);
                });
            }
        });
        nodes[0].mount_kv();
        nodes[0].wait_for_voters(nodes.len());
        let nodes = nodes.into();
        (Self { nodes }, shares)
    }
}

/// Tells each node of all others, by `retry_join`.
fn introduce(nodes: &[Server]) {
    for node in nodes {
        let others = nodes.iter().map(Server::own_address);
        let join: Vec<Value> = others
            .filter(|address| *address != node.own_address())
            .map(|address| {
                json!({ "leader_api_addr": address, "leader_ca_cert_file": node.ca_certificate() })
            })
            .collect();
        node.configure(|settings| settings["storage"]["raft"]["retry_join"] = json!(join));
    }
}

/// Initialises the first node; gives the shares, and the root token to all.
fn initialise(nodes: &mut [Server]) -> Vec<String> {
    let shares = format!("-key-shares={SHARES}");
    let threshold = format!("-key-threshold={THRESHOLD}");
    let mut command =
        nodes[0].bao_command(&["operator", "init", &shares, &threshold, "-format=json"]);
    let output = command.output().expect("`bao operator init` runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the cluster is not initialised: {said}"
    );
    let made: Value = serde_json::from_slice(&output.stdout).expect("`bao` answers in JSON");
    let text = |value: &Value| value.as_str().expect("`bao` gives keys as text").to_owned();
    for node in nodes {
        node.keys = Keys {
            root_token: text(&made["root_token"]),
            ..Keys::default()
        };
    }
    let shares = made["unseal_keys_b64"].as_array().map(Vec::as_slice);
    shares.unwrap_or_default().iter().map(text).collect()
}

impl Server {
    /// Starts the process, unless it runs, and leaves it as it is then: sealed. An empty disk gets its
    /// folder, as from systemd's `StateDirectory=`.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn power_on(&mut self) {
        if self.process.is_none() {
            fs::create_dir_all(self.storage()).expect("the storage folder is there");
            self.launch();
        }
    }

    /// Where its raft storage is: `/var/lib/openbao/raft` on a real node.
    pub fn storage(&self) -> PathBuf {
        self.folder.join("storage")
    }

    /// Host and port on which it speaks with the other nodes.
    pub fn cluster_address(&self) -> String {
        self.ports.cluster.address().to_string()
    }

    /// Sets a parameter of its listener; counts when it is started the next time.
    ///
    /// # Panics
    /// Where its configuration cannot be changed.
    pub fn set_listener(&self, name: &str, value: &Value) {
        self.configure(|settings| settings["listener"][0]["tcp"][name] = value.clone());
    }

    fn configure(&self, change: impl FnOnce(&mut Value)) {
        let path: &Path = &self.folder.join("server.json");
        let text = fs::read(path).expect("the configuration is read");
        let mut settings = serde_json::from_slice(&text).expect("the configuration is JSON");
        change(&mut settings);
        let text = serde_json::to_vec_pretty(&settings).expect("the configuration is JSON");
        fs::write(path, text).expect("the configuration is written");
    }

    fn wait_until_initialised(&self) {
        let client = self.anonymous_client();
        wait_for("the node has joined the cluster", || {
            sys::seal_status(&client)
                .ok()
                .filter(|status| status.initialized)
        });
    }

    /// Submits as many shares as are needed.
    pub fn unseal_by(&self, shares: &[String]) {
        for share in &shares[..THRESHOLD] {
            self.write("sys/unseal", &json!({ "key": share }));
        }
    }

    fn wait_for_leader(&self) {
        wait_for("the cluster has a leader", || {
            self.has_leader().then_some(())
        });
    }
}
