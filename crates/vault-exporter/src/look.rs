//! A look at each node, all at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use openbao::{Client, Error, Trouble, Trust, handshake::shown_chain, sys};

use crate::{
    certificate::Validity,
    nodes::{Node, Nodes},
};

/// A standby is not asked to read at each look, for its audit log has a line of each.
const BETWEEN_READS: Duration = Duration::from_secs(300);

/// What a look at one node gave.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    pub(crate) node: &'a Node,
    /// What it says of itself; none where it is lost.
    pub(crate) status: Option<sys::SealStatus>,
    /// What it knows of its cluster; none where it is sealed or lost.
    pub(crate) leader: Option<sys::Leader>,
    /// Whether it answers reads itself, as it was seen last; none where its version could not as a standby.
    pub(crate) answers_reads: Option<bool>,
    /// What it shows, or showed last.
    pub(crate) validity: Option<Validity>,
    /// Why something of this is missing that should be there.
    pub(crate) trouble: Option<&'static str>,
    /// How long it took to answer.
    pub(crate) took: Duration,
}

impl Look<'_> {
    /// Whether clients get what they ask it for, by what `all` say.
    pub(crate) fn serves(&self, all: &[Self]) -> bool {
        let said = all.iter().filter_map(|other| other.leader.as_ref());
        self.leader
            .as_ref()
            .is_some_and(|leader| leader.serves(said))
    }

    /// Whether it is the active node.
    pub(crate) fn leads(&self) -> bool {
        self.leader.as_ref().is_some_and(sys::Leader::is_active)
    }
}

/// Looks at all nodes; one that hangs delays the others' answers by nothing.
pub(crate) fn all(nodes: &Nodes) -> Vec<Look<'_>> {
    thread::scope(|scope| {
        let looks = nodes.all.iter();
        let looks: Vec<_> = looks
            .map(|node| (node, scope.spawn(|| one(nodes, node))))
            .collect();
        let ended = looks
            .into_iter()
            .map(|(node, look)| look.join().unwrap_or_else(|_| lost(node, "panic")));
        ended.collect()
    })
}

fn one<'a>(nodes: &Nodes, node: &'a Node) -> Look<'a> {
    let client = match nodes.client(node) {
        Ok(client) => client,
        Err(error) => return lost(node, reason(&error)),
    };
    let began = Instant::now();
    let status = match sys::seal_status(&client) {
        Ok(status) => status,
        Err(error) => return lost(node, reason(&error)),
    };
    let took = began.elapsed();
    // only now, for the name is known to have an address: looking that up can take long
    let (leader, shown) = thread::scope(|scope| {
        let shown = scope.spawn(|| validity(nodes, node));
        let leader = leader(&client, &status);
        (leader, shown.join().unwrap_or_default())
    });
    let answers_reads = reads(&client, node, &status, leader.as_ref().ok());
    Look {
        node,
        trouble: leader.as_ref().err().copied(),
        answers_reads,
        status: Some(status),
        leader: leader.unwrap_or_default(),
        validity: node.remember(shown),
        took,
    }
}

/// What it knows of its cluster; nothing while it is sealed.
fn leader(client: &Client, status: &sys::SealStatus) -> Result<Option<sys::Leader>, &'static str> {
    if status.sealed {
        return Ok(None);
    }
    match sys::leader(client) {
        Ok(leader) => Ok(Some(leader)),
        Err(error) if is_sealed(&error) => Ok(None), // since a moment
        Err(error) => Err(reason(&error)),
    }
}

/// Whether it answers reads itself: a leader does, a standby is asked.
fn reads(
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
    node.reads_within(BETWEEN_READS, || sys::answers_reads(client).ok())
}

fn validity(nodes: &Nodes, node: &Node) -> Option<Validity> {
    if !node.address.is_encrypted() || *nodes.trust() == Trust::SkipVerify {
        return None;
    }
    let roots = nodes.trust().roots().ok()?;
    // for the connection and the handshake each
    let chain = shown_chain(&node.address, &roots, nodes.patience() / 2).ok()?;
    Validity::of(&chain)
}

fn lost<'a>(node: &'a Node, trouble: &'static str) -> Look<'a> {
    Look {
        node,
        status: None,
        leader: None,
        answers_reads: None,
        validity: node.remember(None),
        trouble: Some(trouble),
        took: Duration::ZERO,
    }
}

fn is_sealed(error: &Error) -> bool {
    matches!(troubles(error), [attempt] if matches!(attempt.trouble, Trouble::Sealed))
}

fn troubles(error: &Error) -> &[openbao::Attempt] {
    match error {
        Error::Unavailable { attempts } => attempts,
        _ => &[],
    }
}

/// One word of a few, for a label.
fn reason(error: &Error) -> &'static str {
    if matches!(error, Error::Trust(_)) {
        return "tls";
    }
    match troubles(error).first().map(|attempt| &attempt.trouble) {
        Some(Trouble::Connect(_)) => "connect",
        Some(Trouble::Timeout(_)) => "timeout",
        Some(Trouble::Tls(_)) => "tls",
        _ => "answer",
    }
}
