//! Concurrent health probes: many dead servers cost no more time than one.

use std::{
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use ureq::Agent;
use zts_net::{Limits, TransportError};

use crate::{
    Address, NodeError,
    events::report_probe,
    exchange::{Answer, LARGEST_SMALL, Message, SendError, exchange},
    node_status::SealStatus,
};

/// The result of probing one server.
pub(crate) struct ProbeResult {
    /// Its index in the list of addresses.
    pub(crate) index: usize,
    /// The reason why it cannot be used; `None` where the request should be sent to it.
    pub(crate) error: Option<NodeError>,
}

/// Probes all `servers` concurrently, and returns the results as they arrive.
///
/// A probe carries no credentials and changes nothing. It uses the agent of the requests, with the
/// same certificates, and leaves its connection open for them. Nothing waits for a server that does
/// not answer: its thread ends within `limits`, or with the process.
pub(crate) fn probe_concurrently(
    agent: &Agent,
    servers: Vec<(usize, Address)>,
    limits: Limits,
) -> Receiver<ProbeResult> {
    let (sender, results) = mpsc::channel();
    for (index, address) in servers {
        let agent = agent.clone();
        let thread_sender = sender.clone();
        let started = thread::Builder::new()
            .name("health-probe".to_owned())
            .spawn(move || {
                let began = Instant::now();
                let error = probe(&agent, &address, limits);
                report_probe(&address, began.elapsed(), error.as_ref());
                // another server may have answered in the meantime
                let _ = thread_sender.send(ProbeResult { index, error });
            });
        if started.is_err() {
            // a server that could not be probed may be alive
            let _ = sender.send(ProbeResult { index, error: None });
        }
    }
    results
}

/// Returns the reason why the server cannot be used (API page `sys/seal-status`). An odd answer is
/// no such reason: the request itself will show it.
pub(crate) fn probe(agent: &Agent, address: &Address, limits: Limits) -> Option<NodeError> {
    let path = "sys/seal-status";
    let message = Message {
        method: "GET",
        url: address.url(path),
        path,
        headers: &[("X-Vault-Request", "true".into())],
        body: &[],
        largest: LARGEST_SMALL,
    };
    match exchange(agent, &message, limits) {
        Ok(answer) => classify_seal_status(&answer),
        Err(SendError::NoAnswer(no_answer)) => Some(no_answer.error).filter(is_silence),
        Err(SendError::Final(_)) => None,
    }
}

fn is_silence(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::Transport(
            TransportError::Connect(_)
                | TransportError::Closed(_)
                | TransportError::Timeout(_)
                | TransportError::Tls(_)
        )
    )
}

fn classify_seal_status(answer: &Answer) -> Option<NodeError> {
    let status: SealStatus = serde_json::from_slice(&answer.body).ok()?;
    match status {
        SealStatus {
            initialized: false, ..
        } => Some(NodeError::NotInitialized),
        SealStatus { sealed: true, .. } => Some(NodeError::Sealed),
        SealStatus { .. } => None,
    }
}
