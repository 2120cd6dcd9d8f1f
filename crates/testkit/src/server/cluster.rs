//! Several servers that are one.

use std::{sync::Arc, thread};

use openbao::{Method, Request, sys};
use serde_json::{Value, json};

use super::{Builder, Certificate, Server};
use crate::{Certificates, wait_for};

/// A raft cluster on loopback.
#[derive(Debug)]
pub struct Cluster {
    pub(super) nodes: Vec<Server>,
}

impl Cluster {
    /// Starts `count` nodes without TLS and waits until each is active or a standby.
    pub fn start(count: usize) -> Self {
        Self::build(count, &Builder::default())
    }

    /// Starts `count` nodes that show certificates of one authority.
    pub fn start_with_tls(count: usize) -> Self {
        Self::build(count, &Builder::default().tls(Certificate::Good))
    }

    /// Starts `count` nodes that declare the same audit device with a path of its own each, as no cluster should.
    pub fn start_with_audit_that_differs(count: usize) -> Self {
        Self::build(count, &Builder::default().audit())
    }

    fn build(count: usize, options: &Builder) -> Self {
        let certificates = options.tls.map(|_| Arc::new(Certificates::new()));
        let node = |number: usize, join: Option<String>| Builder {
            raft: Some(format!("node{number}")),
            certificates: certificates.clone(),
            join,
            ..options.clone()
        };
        let leader = node(1, None).start();
        // Nodes vote once they were healthy for that long, by default 10 s.
        leader.write(
            "sys/storage/raft/autopilot/configuration",
            &json!({ "server_stabilization_time": "200ms" }),
        );
        let mut nodes: Vec<_> = (2..=count)
            .map(|number| node(number, Some(leader.own_address())).prepare())
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

    /// Every node, also those that were stopped, in the order of their start.
    pub fn nodes(&mut self) -> &mut [Server] {
        &mut self.nodes
    }

    /// The active node: waits out an election.
    pub fn leader(&mut self) -> &mut Server {
        let index = self.leader_index();
        &mut self.nodes[index]
    }

    /// The running nodes that are not active.
    pub fn standbys(&mut self) -> Vec<&mut Server> {
        let leader = self.leader_index();
        let others = self
            .nodes
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| *index != leader);
        others
            .map(|(_, node)| node)
            .filter(|node| node.process.is_some())
            .collect()
    }

    /// The addresses of all nodes, comma-separated as `BAO_ADDR` takes them.
    pub fn addresses(&self) -> String {
        self.nodes
            .iter()
            .map(Server::address)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// The addresses of all nodes, the active one's last.
    pub fn standbys_first(&mut self) -> Vec<String> {
        let leader = self.leader_index();
        let mut addresses: Vec<_> = self.nodes.iter().map(Server::address).collect();
        let active = addresses.remove(leader);
        addresses.push(active);
        addresses
    }

    fn leader_index(&self) -> usize {
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
    fn join(&mut self, leader: &Server) {
        self.keys = leader.keys.clone();
        self.launch();
        let client = self.anonymous_client();
        let joined = || {
            sys::seal_status(&client)
                .ok()
                .filter(|status| status.initialized)
        };
        wait_for("the node has joined the cluster", joined);
        self.unseal();
    }

    /// Waits until `count` nodes vote: with fewer, the cluster would not outlive its leader.
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

    /// Whether this node is the active one.
    fn is_active(&self) -> bool {
        self.active_addresses().contains(&self.own_address())
    }

    /// Whether the cluster that this node is part of has an active node.
    pub(super) fn has_leader(&self) -> bool {
        !self.active_addresses().is_empty()
    }

    /// The active nodes' addresses (API page `sys/ha-status`, which the active node answers); none
    /// during an election.
    fn active_addresses(&self) -> Vec<String> {
        let status = self
            .client()
            .data::<Value>(&Request::new(Method::Get, "sys/ha-status"))
            .unwrap_or_default();
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        let active = nodes
            .iter()
            .filter(|node| node["active_node"] == json!(true));
        active
            .filter_map(|node| node["api_address"].as_str())
            .map(str::to_owned)
            .collect()
    }
}
