//! Clusters with raft storage.

use std::{sync::Arc, thread};

use serde_json::json;
use zts_openbao::sys;

use super::{
    options::{CertificateKind, ServerBuilder},
    server::Server,
};
use crate::{certificates::CertificateAuthority, wait::wait_for};

/// A raft cluster on loopback.
#[derive(Debug)]
pub struct Cluster {
    pub(super) nodes: Vec<Server>,
}

impl Drop for Cluster {
    /// Ends all nodes before the first folder is removed. A standby makes the folder of an audit
    /// device anew, whose path in the storage may be another node's.
    fn drop(&mut self) {
        self.nodes.iter_mut().for_each(Server::kill);
    }
}

impl Cluster {
    /// Starts `count` nodes without TLS and waits until each is active or a standby.
    pub fn start(count: usize) -> Self {
        Self::start_with_options(count, &ServerBuilder::default())
    }

    /// Starts `count` nodes with certificates of one authority.
    pub fn start_with_tls(count: usize) -> Self {
        let options = ServerBuilder::default().tls(CertificateKind::Valid);
        Self::start_with_options(count, &options)
    }

    /// Starts `count` nodes that declare the same audit device with different paths, which no
    /// cluster should have.
    pub fn start_with_differing_audit(count: usize) -> Self {
        Self::start_with_options(count, &ServerBuilder::default().audit())
    }

    fn start_with_options(count: usize, options: &ServerBuilder) -> Self {
        let certificates = options.tls.map(|_| Arc::new(CertificateAuthority::new()));
        let node = |number: usize, join: Option<String>| ServerBuilder {
            raft: Some(format!("node{number}")),
            certificates: certificates.clone(),
            join,
            ..options.clone()
        };
        let leader = node(1, None).start();
        // A node votes once it has been healthy for this time, by default 10 s.
        leader.write(
            "sys/storage/raft/autopilot/configuration",
            &json!({ "server_stabilization_time": "200ms" }),
        );
        let mut nodes: Vec<_> = (2..=count)
            .map(|number| node(number, Some(leader.direct_address())).prepare())
            .collect();
        thread::scope(|scope| {
            for server in &mut nodes {
                scope.spawn(|| server.join(&leader));
            }
        });
        leader.wait_for_voters(count);
        nodes.insert(0, leader);
        Self { nodes }
    }

    /// Returns all nodes in the order of their start, including stopped ones.
    pub fn nodes(&mut self) -> &mut [Server] {
        &mut self.nodes
    }

    /// Returns the active node; waits for the end of an election.
    pub fn active_node(&mut self) -> &mut Server {
        let index = self.active_index();
        &mut self.nodes[index]
    }

    /// Returns the running nodes that are not active.
    pub fn standbys(&mut self) -> Vec<&mut Server> {
        let active = self.active_index();
        let others = self
            .nodes
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| *index != active);
        others
            .map(|(_, node)| node)
            .filter(|node| node.process.is_some())
            .collect()
    }

    /// Returns the addresses of all nodes, separated by commas as in `BAO_ADDR`.
    pub fn addresses(&self) -> String {
        self.nodes
            .iter()
            .map(Server::address)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Returns the addresses of all nodes, the active one's last.
    pub fn addresses_active_last(&mut self) -> Vec<String> {
        let active = self.active_index();
        let mut addresses: Vec<_> = self.nodes.iter().map(Server::address).collect();
        let last = addresses.remove(active);
        addresses.push(last);
        addresses
    }

    fn active_index(&self) -> usize {
        wait_for("the cluster has a leader", || {
            let running = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| node.process.is_some());
            running
                .filter(|(_, node)| node.is_active())
                .map(|(index, _)| index)
                .next()
        })
    }
}

impl Server {
    /// Starts a prepared node, which joins the cluster of `leader`, and unseals it with its key.
    fn join(&mut self, leader: &Self) {
        self.keys = leader.keys.clone();
        self.launch();
        self.wait_until_initialised();
        self.unseal();
    }

    /// Waits until it has joined a cluster.
    pub(super) fn wait_until_initialised(&self) {
        let client = self.anonymous_client();
        wait_for("the node has joined the cluster", || {
            sys::seal_status(&client)
                .ok()
                .filter(|status| status.initialized)
        });
    }

    /// Waits until `count` nodes vote. With fewer, the cluster would not survive its leader.
    pub(super) fn wait_for_voters(&self, count: usize) {
        wait_for("all nodes may vote", || {
            let state = self
                .read("sys/storage/raft/configuration")
                .unwrap_or_default();
            let servers = state["config"]["servers"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let voters = servers
                .iter()
                .filter(|server| server["voter"] == json!(true));
            (voters.count() == count).then_some(())
        });
    }
}
