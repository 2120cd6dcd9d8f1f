//! Probes of the nodes, all at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use zts_net::{TransportError, Trust, fetch_peer_certificates};
use zts_openbao::{Client, Error, NodeError, sys};

use crate::nodes::{CertificateValidity, Node, Nodes};

/// The interval between two test reads of a standby: each is a line in its audit log.
const READ_INTERVAL: Duration = Duration::from_secs(300);

/// The result of probing one node.
#[derive(Debug)]
pub(crate) struct Probe<'a> {
    pub(crate) node: &'a Node,
    /// The seal status; none if the node is unreachable.
    pub(crate) status: Option<sys::SealStatus>,
    /// The node's view of its cluster; none if it is sealed or unreachable.
    pub(crate) leader: Option<sys::Leader>,
    /// True if the node answers reads itself, as last tested; none if no standby of its version
    /// does.
    pub(crate) answers_reads: Option<bool>,
    /// The validity of the certificate that the node presented last.
    pub(crate) validity: Option<CertificateValidity>,
    /// The reason why a part is missing.
    pub(crate) failure: Option<&'static str>,
    pub(crate) answer_time: Duration,
}

impl Probe<'_> {
    /// Returns whether the node serves requests, according to the probes of all nodes.
    pub(crate) fn is_serving(&self, all: &[Self]) -> bool {
        let leaders = all.iter().filter_map(|other| other.leader.as_ref());
        self.leader
            .as_ref()
            .is_some_and(|leader| leader.serves(leaders))
    }

    /// Returns whether the node is the active one.
    pub(crate) fn is_active(&self) -> bool {
        self.leader.as_ref().is_some_and(sys::Leader::is_active)
    }
}

/// Probes all nodes at once, so that one that hangs does not delay the others.
pub(crate) fn probe_all(nodes: &Nodes) -> Vec<Probe<'_>> {
    thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .all
            .iter()
            .map(|node| (node, scope.spawn(|| probe_node(nodes, node))))
            .collect();
        threads
            .into_iter()
            .map(|(node, thread)| thread.join().unwrap_or_else(|_| unreachable(node, "panic")))
            .collect()
    })
}

fn probe_node<'a>(nodes: &Nodes, node: &'a Node) -> Probe<'a> {
    let client = match nodes.client(node) {
        Ok(client) => client,
        Err(error) => return unreachable(node, failure_reason(&error)),
    };
    let started = Instant::now();
    let status = match sys::seal_status(&client) {
        Ok(status) => status,
        Err(error) => return unreachable(node, failure_reason(&error)),
    };
    let answer_time = started.elapsed();
    // not earlier: resolving the name can take long, and now it is known to have an address
    let (leader, validity) = thread::scope(|scope| {
        let validity = scope.spawn(|| query_validity(nodes, node));
        let leader = query_leader(&client, &status);
        (leader, validity.join().unwrap_or_default())
    });
    let answers_reads = query_reads(&client, node, &status, leader.as_ref().ok());
    Probe {
        node,
        failure: leader.as_ref().err().copied(),
        answers_reads,
        status: Some(status),
        leader: leader.unwrap_or_default(),
        validity: node.update_validity(validity),
        answer_time,
    }
}

/// Returns the node's view of its cluster; none if it is sealed.
fn query_leader(
    client: &Client,
    status: &sys::SealStatus,
) -> Result<Option<sys::Leader>, &'static str> {
    if status.sealed {
        return Ok(None);
    }
    match sys::leader(client) {
        Ok(leader) => Ok(Some(leader)),
        Err(error) if is_sealed(&error) => Ok(None), // sealed after the first request
        Err(error) => Err(failure_reason(&error)),
    }
}

/// Returns whether the node answers reads itself: an active node does, a standby is tested.
fn query_reads(
    client: &Client,
    node: &Node,
    status: &sys::SealStatus,
    leader: Option<&Option<sys::Leader>>,
) -> Option<bool> {
    let leader = leader?.as_ref()?;
    if leader.is_active() {
        return Some(true);
    }
    if !status.has_standby_reads() {
        return None;
    }
    node.answers_reads(READ_INTERVAL, || sys::answers_reads(client).ok())
}

fn query_validity(nodes: &Nodes, node: &Node) -> Option<CertificateValidity> {
    if !node.address.is_encrypted() || *nodes.trust() == Trust::SkipVerify {
        return None;
    }
    let roots = nodes.trust().root_certificates().ok()?;
    // the timeout is for the connection and for the handshake
    let timeout = nodes.request_timeout() / 2;
    let (host, port) = (node.address.host(), node.address.port());
    let chain = fetch_peer_certificates(host, port, &roots, timeout).ok()?;
    CertificateValidity::of_chain(&chain)
}

fn unreachable<'a>(node: &'a Node, failure: &'static str) -> Probe<'a> {
    Probe {
        node,
        status: None,
        leader: None,
        answers_reads: None,
        validity: node.update_validity(None),
        failure: Some(failure),
        answer_time: Duration::ZERO,
    }
}

fn is_sealed(error: &Error) -> bool {
    matches!(error.attempts(), [attempt] if matches!(attempt.error, NodeError::Sealed))
}

/// Returns the value of the label `reason`.
fn failure_reason(error: &Error) -> &'static str {
    if matches!(error, Error::Trust(_)) {
        return "tls";
    }
    match error.attempts().first().map(|attempt| attempt.error.root()) {
        Some(NodeError::Transport(TransportError::Connect(_))) => "connect",
        Some(NodeError::Transport(TransportError::Timeout(_))) => "timeout",
        Some(NodeError::Transport(TransportError::Tls(_))) => "tls",
        _ => "answer",
    }
}
