//! The sets of key shares that a node was offered, and those that it refused.

use std::time::{Duration, Instant};

use itertools::Itertools;

/// The limit for sets that are tried before a pause.
const MAX_SETS: usize = 1000;
/// The first and the longest pause. After a pause all sets are tried again, because the reason of
/// the refusals may be gone, such as restored data of another cluster.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Indexes of key shares.
pub(crate) type ShareSet = Vec<usize>;

/// The sets that were tried at one node. They are tried in a fixed order, so a number is enough to
/// know which ones it refused.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    threshold: usize,
    refused: usize,
    last_successful: Option<ShareSet>,
    pause: Duration,
    paused_until: Option<Instant>,
}

impl Attempts {
    /// Prepares for a node with this threshold. Another threshold than before means that the key
    /// was rotated.
    pub(crate) fn prepare(&mut self, threshold: usize) {
        if self.threshold != threshold {
            *self = Self {
                threshold,
                ..Self::default()
            };
        }
        if self
            .paused_until
            .is_some_and(|until| until <= Instant::now())
        {
            self.paused_until = None;
            self.refused = 0;
        }
    }

    /// Returns whether all sets were refused and the pause has not ended.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Returns the number of sets that the node refused since the last success or pause.
    pub(crate) fn refused_count(&self) -> usize {
        self.refused
    }

    /// Returns the next set to try of `count` shares. The set that unsealed the node before is
    /// first.
    pub(crate) fn next_set(&self, count: usize) -> Option<ShareSet> {
        if self.last_successful.is_some() {
            return self.last_successful.clone();
        }
        if self.refused >= MAX_SETS {
            return None;
        }
        (0..count).combinations(self.threshold).nth(self.refused)
    }

    /// Records that the node refused the next set.
    pub(crate) fn record_refusal(&mut self) {
        if self.last_successful.take().is_none() {
            self.refused += 1;
        }
    }

    /// Starts a pause, longer each time.
    pub(crate) fn start_pause(&mut self) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.paused_until = Some(Instant::now() + self.pause);
    }

    /// Records that `set` unsealed the node. Returns the shares that are certainly wrong: a refused
    /// set had one share that is not in `set`.
    pub(crate) fn record_success(&mut self, set: &ShareSet, count: usize) -> ShareSet {
        let sets = (0..count).combinations(self.threshold).take(self.refused);
        let wrong = sets.filter_map(|refused| {
            let mut others = refused.into_iter().filter(|place| !set.contains(place));
            let first = others.next()?;
            others.next().is_none().then_some(first)
        });
        let wrong = wrong.sorted().dedup().collect();
        *self = Self {
            threshold: self.threshold,
            last_successful: Some(set.clone()),
            ..Self::default()
        };
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(threshold: usize) -> Attempts {
        let mut attempts = Attempts::default();
        attempts.prepare(threshold);
        attempts
    }

    #[test]
    fn each_set_is_tried_once_before_a_pause() {
        let mut attempts = attempts(2);
        let mut tried = Vec::new();
        while let Some(set) = attempts.next_set(3) {
            tried.push(set);
            attempts.record_refusal();
        }
        assert_eq!(tried, [[0, 1], [0, 2], [1, 2]]);
        attempts.start_pause();
        attempts.prepare(2);
        assert!(attempts.is_paused());
        // A rotation of the key with another threshold ends the pause.
        attempts.prepare(1);
        assert_eq!(
            (attempts.is_paused(), attempts.next_set(3)),
            (false, Some(vec![0]))
        );
    }

    #[test]
    fn pauses_end_and_grow() {
        let mut attempts = attempts(1);
        attempts.record_refusal();
        attempts.start_pause();
        attempts.paused_until = Some(Instant::now());
        attempts.prepare(1);
        assert_eq!(
            (attempts.is_paused(), attempts.next_set(1)),
            (false, Some(vec![0]))
        );
        for _ in 0..10 {
            attempts.start_pause();
        }
        assert_eq!(attempts.pause, LONGEST_PAUSE);
    }

    #[test]
    fn the_number_of_sets_is_limited() {
        let mut attempts = attempts(10);
        while attempts.next_set(30).is_some() {
            attempts.record_refusal();
        }
        assert_eq!(attempts.refused_count(), MAX_SETS);
    }

    #[test]
    fn the_only_unknown_share_of_a_refused_set_is_wrong() {
        let mut attempts = attempts(3);
        // Shares 0 and 3 are wrong: refused until {1, 2, 4}.
        let good = vec![1, 2, 4];
        while attempts.next_set(5).as_ref() != Some(&good) {
            attempts.record_refusal();
        }
        assert_eq!(attempts.record_success(&good, 5), [0, 3]);
        // Next time it is the first. If it is refused (a rotation of the key), all others are
        // tried.
        assert_eq!(attempts.next_set(5), Some(good));
        attempts.record_refusal();
        assert_eq!(attempts.next_set(5), Some(vec![0, 1, 2]));
    }
}
