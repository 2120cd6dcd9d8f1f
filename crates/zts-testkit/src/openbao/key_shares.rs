//! A cluster whose unseal key is divided into shares, for the procedures in `docs/how-to`.

use std::{sync::Arc, thread};

use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    options::{CertificateKind, ServerBuilder},
    server::{Keys, Server},
};
use crate::{certificates::CertificateAuthority, wait::wait_for};

/// The number of key shares and the number that unseals, as in OpenBao's defaults.
const SHARES: usize = 5;
const THRESHOLD: usize = 3;

impl Cluster {
    /// Starts three unsealed nodes `bao1`, `bao2`, `bao3` with TLS that all know each other, as the
    /// NixOS module configures them. Returns the five key shares as well, of which three unseal.
    ///
    /// # Panics
    /// If the cluster does not start.
    pub fn start_with_key_shares() -> (Self, Vec<String>) {
        start(&ServerBuilder::default())
    }

    /// As [`Cluster::start_with_key_shares`], with an audit device whose path differs on each node,
    /// which no cluster should have.
    ///
    /// # Panics
    /// If the cluster does not start.
    pub fn start_with_key_shares_and_differing_audit() -> (Self, Vec<String>) {
        start(&ServerBuilder::default().audit())
    }
}

fn start(options: &ServerBuilder) -> (Cluster, Vec<String>) {
    let certificates = Arc::new(CertificateAuthority::new());
    let node = |name: &str| ServerBuilder {
        tls: Some(CertificateKind::Valid),
        certificates: Some(certificates.clone()),
        raft: Some(name.to_owned()),
        ..options.clone()
    };
    let mut nodes = ["bao1", "bao2", "bao3"].map(|name| node(name).prepare());
    configure_retry_join(&nodes);
    thread::scope(|scope| {
        for node in &mut nodes {
            scope.spawn(|| node.launch());
        }
    });
    let shares = initialise(&mut nodes);
    nodes[0].unseal_with_shares(&shares);
    wait_for("the cluster has a leader", || {
        nodes[0].has_leader().then_some(())
    });
    nodes[0].write(
        "sys/storage/raft/autopilot/configuration",
        // By default 10 s each. Followers report every 5 s.
        &json!({ "server_stabilization_time": "200ms", "last_contact_threshold": "8s" }),
    );
    thread::scope(|scope| {
        for node in &nodes[1..] {
            scope.spawn(|| {
                node.wait_until_initialised();
                node.unseal_with_shares(&shares);
            });
        }
    });
    nodes[0].mount_kv();
    nodes[0].wait_for_voters(nodes.len());
    let nodes = nodes.into();
    (Cluster { nodes }, shares)
}

/// Writes the addresses of all other nodes into each node's `retry_join`.
fn configure_retry_join(nodes: &[Server]) {
    for node in nodes {
        let others = nodes.iter().map(Server::direct_address);
        let join: Vec<Value> = others
            .filter(|address| *address != node.direct_address())
            .map(|address| {
                json!({ "leader_api_addr": address, "leader_ca_cert_file": node.ca_certificate() })
            })
            .collect();
        node.configure(|settings| settings["storage"]["raft"]["retry_join"] = json!(join));
    }
}

/// Initialises the first node and returns the key shares; all nodes get the root token.
fn initialise(nodes: &mut [Server]) -> Vec<String> {
    let shares = format!("-key-shares={SHARES}");
    let threshold = format!("-key-threshold={THRESHOLD}");
    let mut command =
        nodes[0].bao_command(&["operator", "init", &shares, &threshold, "-format=json"]);
    let output = command.output().expect("`bao operator init` runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the cluster is not initialised: {stderr}"
    );
    let made: Value = serde_json::from_slice(&output.stdout).expect("`bao` answers in JSON");
    let text = |value: &Value| {
        value
            .as_str()
            .expect("`bao` prints keys as text")
            .to_owned()
    };
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
    /// Submits as many shares as unseal it.
    pub fn unseal_with_shares(&self, shares: &[String]) {
        for share in &shares[..THRESHOLD] {
            self.write("sys/unseal", &json!({ "key": share }));
        }
    }
}
