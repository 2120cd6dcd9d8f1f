//! Which sets of shares a node was offered, and what it said to them.

use std::time::{Duration, Instant};

use itertools::Itertools;

/// How many sets are tried in all before a node is left alone for a while.
const MOST: usize = 1000;
/// For how long, the first time and at most: what was refused for a reason that has gone, such as
/// somebody who restored other data, is offered again.
const FIRST_REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// Places of shares, from 0 on.
pub(crate) type Set = Vec<usize>;

/// What is known of the sets at one node. They are tried in one order, so that a number says which ones
/// it refused.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    needed: usize,
    refused: usize,
    good: Option<Set>,
    rest: Duration,
    rests_until: Option<Instant>,
}

impl Attempts {
    /// Begins to open a node that needs that many shares; another number than before means other shares.
    pub(crate) fn begin(&mut self, needed: usize) {
        if self.needed != needed {
            *self = Self {
                needed,
                ..Self::default()
            };
        }
        if self
            .rests_until
            .is_some_and(|until| until <= Instant::now())
        {
            self.rests_until = None;
            self.refused = 0;
        }
    }

    /// Whether everything was tried, and the node is left alone.
    pub(crate) fn rests(&self) -> bool {
        self.rests_until.is_some()
    }

    /// How many sets it refused, one after the other.
    pub(crate) fn refused_count(&self) -> usize {
        self.refused
    }

    /// The set to try next, of so many shares: the one that opened the node before comes first.
    pub(crate) fn next(&self, count: usize) -> Option<Set> {
        if self.good.is_some() {
            return self.good.clone();
        }
        if self.refused >= MOST {
            return None;
        }
        (0..count).combinations(self.needed).nth(self.refused)
    }

    /// The node refused the set that came next.
    pub(crate) fn refuse(&mut self) {
        if self.good.take().is_none() {
            self.refused += 1;
        }
    }

    /// There is no further set: leaves the node alone, longer each time.
    pub(crate) fn rest(&mut self) {
        self.rest = (self.rest * 2).clamp(FIRST_REST, LONGEST_REST);
        self.rests_until = Some(Instant::now() + self.rest);
    }

    /// This set opened the node. Gives the shares that are certainly wrong: each was the only stranger
    /// in a set that was refused.
    pub(crate) fn open(&mut self, set: &Set, count: usize) -> Set {
        let sets = (0..count).combinations(self.needed).take(self.refused);
        let strangers = sets.filter_map(|refused| {
            let mut others = refused.into_iter().filter(|place| !set.contains(place));
            let first = others.next()?;
            others.next().is_none().then_some(first)
        });
        let wrong = strangers.sorted().dedup().collect();
        *self = Self {
            needed: self.needed,
            good: Some(set.clone()),
            ..Self::default()
        };
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(needed: usize) -> Attempts {
        let mut attempts = Attempts::default();
        attempts.begin(needed);
        attempts
    }

    #[test]
    fn each_set_is_tried_once_and_then_the_node_is_left_alone() {
        let mut attempts = attempts(2);
        let mut tried = Vec::new();
        while let Some(set) = attempts.next(3) {
            tried.push(set);
            attempts.refuse();
        }
        assert_eq!(tried, [[0, 1], [0, 2], [1, 2]]);
        attempts.rest();
        attempts.begin(2);
        assert!(attempts.rests());
        // A rekey that asks for another number ends that.
        attempts.begin(1);
        assert_eq!((attempts.rests(), attempts.next(3)), (false, Some(vec![0])));
    }

    #[test]
    fn a_rest_ends_and_grows() {
        let mut attempts = attempts(1);
        attempts.refuse();
        attempts.rest();
        attempts.rests_until = Some(Instant::now());
        attempts.begin(1);
        assert_eq!((attempts.rests(), attempts.next(1)), (false, Some(vec![0])));
        for _ in 0..10 {
            attempts.rest();
        }
        assert_eq!(attempts.rest, LONGEST_REST);
    }

    #[test]
    fn there_is_an_end_to_many_shares() {
        let mut attempts = attempts(10);
        while attempts.next(30).is_some() {
            attempts.refuse();
        }
        assert_eq!(attempts.refused_count(), MOST);
    }

    #[test]
    fn the_only_stranger_in_a_refused_set_is_wrong() {
        let mut attempts = attempts(3);
        // Shares 0 and 3 are wrong: refused until {1, 2, 4}.
        let good = vec![1, 2, 4];
        while attempts.next(5).as_ref() != Some(&good) {
            attempts.refuse();
        }
        assert_eq!(attempts.open(&good, 5), [0, 3]);
        // Next time it comes first; where it is refused (a rekey), all others are tried.
        assert_eq!(attempts.next(5), Some(good));
        attempts.refuse();
        assert_eq!(attempts.next(5), Some(vec![0, 1, 2]));
    }
}
