//! One request's way from server to server until one answers.
//!
//! The server that answered last is asked first, without a question before. Where it does not answer
//! and more than one other is left, those are scouted all at once ([`crate::scout`]), and the request
//! goes to whichever lives first. So any number of dead servers costs the time of one.

use std::{sync::mpsc::Receiver, time::Duration};

use crate::{Address, Attempt, Error, Trouble, scout::Report};

pub(crate) struct Round<'a> {
    addresses: &'a [Address],
    first: usize,
    /// What each did that is of no use, by its place in the list.
    troubles: Vec<Option<Trouble>>,
    begun: bool,
    scouts: Option<Receiver<Report>>,
    slow: Option<Slow>,
}

/// A server that was left for another before its time was up: it may only be slow.
struct Slow {
    index: usize,
    waited: Duration,
}

impl<'a> Round<'a> {
    /// A round through `addresses` that begins with the one at `first`.
    pub(crate) fn new(addresses: &'a [Address], first: usize) -> Self {
        Self {
            addresses,
            first,
            troubles: addresses.iter().map(|_| None).collect(),
            begun: false,
            scouts: None,
            slow: None,
        }
    }

    /// The place in the list of the next server worth the request; `scout` sends out for reports on
    /// some of them.
    pub(crate) fn next(
        &mut self,
        scout: impl FnOnce(Vec<(usize, Address)>) -> Receiver<Report>,
    ) -> Option<usize> {
        if !self.begun {
            self.begun = true;
            return Some(self.first);
        }
        if self.scouts.is_none() {
            match self.left().as_slice() {
                [] => return None,
                [only] => return Some(*only),
                several => {
                    let servers = several.iter().copied();
                    let servers = servers.map(|index| (index, self.addresses[index].clone()));
                    self.scouts = Some(scout(servers.collect()));
                }
            }
        }
        self.reported_alive()
    }

    /// Waits for the next server that lives.
    fn reported_alive(&mut self) -> Option<usize> {
        for report in self.scouts.iter().flatten() {
            match report.trouble {
                None => return Some(report.index),
                trouble => self.troubles[report.index] = trouble,
            }
        }
        None
    }

    /// How many servers are left that may be of use, with the one that is asked now.
    pub(crate) fn count_left(&self) -> usize {
        self.left().len()
    }

    /// The servers that may be of use, in their order.
    fn left(&self) -> Vec<usize> {
        let unspoilt = |index: &usize| self.troubles[*index].is_none();
        self.order().filter(unspoilt).collect()
    }

    /// The order of the list, from the first one on and around.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.first, self.addresses.len());
        (0..count).map(move |step| (first + step) % count)
    }

    /// Notes what a server did in place of an answer.
    pub(crate) fn failed(&mut self, index: usize, trouble: Trouble) {
        self.troubles[index] = Some(trouble);
    }

    /// Notes that a server was left after `waited` because there were others.
    pub(crate) fn hurried(&mut self, index: usize, waited: Duration) {
        self.slow = Some(Slow { index, waited });
    }

    /// When all have failed: a server that was left early, where it can have more time than it had.
    pub(crate) fn again(&mut self, time: Duration) -> Option<usize> {
        let slow = self.slow.take().filter(|slow| slow.waited < time)?;
        Some(slow.index)
    }

    /// What each server did.
    pub(crate) fn into_error(mut self) -> Error {
        let attempts = self.order().filter_map(|index| {
            Some(Attempt {
                address: self.addresses[index].clone(),
                trouble: self.troubles[index].take()?,
            })
        });
        Error::Unavailable {
            attempts: attempts.collect(),
        }
    }
}
