//! Which servers live, asked of all at once, so that many dead ones cost no more time than one.

use std::{
    sync::mpsc::{self, Receiver},
    thread,
};

use ureq::Agent;

use crate::{
    Address, Trouble,
    exchange::{Answer, LARGEST_SMALL, Message, exchange},
    sys::SealStatus,
    transport::Limits,
};

/// What was found out about one server.
pub(crate) struct Report {
    /// Its place in the list of addresses.
    pub(crate) index: usize,
    /// Why it is of no use; nothing where it is worth the real question.
    pub(crate) trouble: Option<Trouble>,
}

/// Asks each of `servers` for its seal status, all at once, and gives the reports as they come in.
///
/// The question carries no credentials and changes nothing. It goes through the agent of the real
/// questions, with the same certificates, and leaves its connection open for them. Nobody waits for
/// a server that never answers: its thread ends within `limits`, or with the process.
pub(crate) fn send(
    agent: &Agent,
    servers: impl Iterator<Item = (usize, Address)>,
    limits: Limits,
) -> Receiver<Report> {
    let (sender, reports) = mpsc::channel();
    for (index, address) in servers {
        let agent = agent.clone();
        let scouting = sender.clone();
        let started = thread::Builder::new()
            .name("scout".to_owned())
            .spawn(move || {
                let trouble = look(&agent, &address, limits);
                let _ = scouting.send(Report { index, trouble }); // another may have answered by now
            });
        if started.is_err() {
            // what could not be looked at may live
            let _ = sender.send(Report {
                index,
                trouble: None,
            });
        }
    }
    reports
}

/// Why the server is of no use (API page `sys/seal-status`). What is odd, but an answer, is left to
/// the real question.
pub(crate) fn look(agent: &Agent, address: &Address, limits: Limits) -> Option<Trouble> {
    let message = Message {
        method: "GET",
        url: address.url("sys/seal-status"),
        headers: &[("X-Vault-Request", "true".into())],
        body: &[],
        largest: LARGEST_SMALL,
    };
    match exchange(agent, &message, limits) {
        Ok(answer) => sealed(&answer),
        Err(Ok(no_answer)) => Some(no_answer.trouble).filter(is_silence),
        Err(Err(_)) => None,
    }
}

fn is_silence(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Connect(_) | Trouble::Closed(_) | Trouble::Timeout(_) | Trouble::Tls(_)
    )
}

fn sealed(answer: &Answer) -> Option<Trouble> {
    let status: SealStatus = serde_json::from_slice(&answer.body).ok()?;
    match status {
        SealStatus {
            initialized: false, ..
        } => Some(Trouble::NotInitialized),
        SealStatus { sealed: true, .. } => Some(Trouble::Sealed),
        SealStatus { .. } => None,
    }
}
