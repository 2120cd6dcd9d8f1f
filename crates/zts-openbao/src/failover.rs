//! The order in which one request tries the servers of a cluster.
//!
//! The server that answered last is tried first, without a probe. Where it does not answer and more
//! than one other is left, those are probed concurrently ([`crate::health_probe`]), and the request
//! goes to the first that is alive. So any number of dead servers costs the time of one.

use std::{sync::mpsc::Receiver, time::Duration};

use crate::{Address, Error, NodeError, NodeFailure, health_probe::ProbeResult};

/// The state of one request's failover.
pub(crate) struct Failover<'a> {
    addresses: &'a [Address],
    first: usize,
    /// The failure of each server, by its index in the list.
    errors: Vec<Option<NodeError>>,
    has_begun: bool,
    probes: Option<Receiver<ProbeResult>>,
    slow: Option<SlowServer>,
}

/// A server that was left for another before the end of its time: it may only be slow.
struct SlowServer {
    index: usize,
    waited: Duration,
}

impl<'a> Failover<'a> {
    /// Returns the failover through `addresses` that begins with the one at `first`.
    pub(crate) fn new(addresses: &'a [Address], first: usize) -> Self {
        Self {
            addresses,
            first,
            errors: addresses.iter().map(|_| None).collect(),
            has_begun: false,
            probes: None,
            slow: None,
        }
    }

    /// Returns the index of the next server to try; `start_probes` probes some of them.
    pub(crate) fn next_server(
        &mut self,
        start_probes: impl FnOnce(Vec<(usize, Address)>) -> Receiver<ProbeResult>,
    ) -> Option<usize> {
        if !self.has_begun {
            self.has_begun = true;
            return Some(self.first);
        }
        if self.probes.is_none() {
            match self.servers_left().as_slice() {
                [] => return None,
                [only] => return Some(*only),
                several => {
                    let servers = several.iter().copied();
                    let servers = servers.map(|index| (index, self.addresses[index].clone()));
                    self.probes = Some(start_probes(servers.collect()));
                }
            }
        }
        self.wait_for_live_server()
    }

    fn wait_for_live_server(&mut self) -> Option<usize> {
        for result in self.probes.iter().flatten() {
            match result.error {
                None => return Some(result.index),
                error => self.errors[result.index] = error,
            }
        }
        None
    }

    /// Returns how many servers have not failed, the one that is tried now included.
    pub(crate) fn count_left(&self) -> usize {
        self.servers_left().len()
    }

    fn servers_left(&self) -> Vec<usize> {
        let has_not_failed = |index: &usize| self.errors[*index].is_none();
        self.order().filter(has_not_failed).collect()
    }

    /// Returns the indices of the list, from the first server on and around.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.first, self.addresses.len());
        (0..count).map(move |step| (first + step) % count)
    }

    /// Records the failure of a server.
    pub(crate) fn record_failure(&mut self, index: usize, error: NodeError) {
        self.errors[index] = Some(error);
    }

    /// Records that a server was left after `waited` because there were others.
    pub(crate) fn record_slow(&mut self, index: usize, waited: Duration) {
        self.slow = Some(SlowServer { index, waited });
    }

    /// Returns, when all have failed, the slow server, where it can have more time than it had.
    pub(crate) fn retry_slow(&mut self, time: Duration) -> Option<usize> {
        let slow = self.slow.take().filter(|slow| slow.waited < time)?;
        Some(slow.index)
    }

    /// Returns the error with the failure of each server.
    pub(crate) fn into_error(mut self) -> Error {
        let attempts = self.order().filter_map(|index| {
            Some(NodeFailure {
                address: self.addresses[index].clone(),
                error: self.errors[index].take()?,
            })
        });
        Error::Unavailable {
            attempts: attempts.collect(),
        }
    }
}
