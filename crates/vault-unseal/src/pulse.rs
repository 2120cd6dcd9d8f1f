//! Whether all threads go on with their work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A thread that has not looked for so many intervals, and a minute, hangs or is dead.
const INTERVALS: u32 = 3;
const GRACE: Duration = Duration::from_secs(60);

/// Each thread's count of looks, and when it was seen to grow.
pub(crate) struct Pulse {
    threads: Vec<(Arc<AtomicU64>, u64, Instant)>,
    patience: Duration,
}

impl Pulse {
    /// Begins to watch over threads that count here, each at least once an interval.
    pub(crate) fn new(counts: Vec<Arc<AtomicU64>>, interval: Duration) -> Self {
        let begin = |count: Arc<AtomicU64>| {
            let seen = count.load(Ordering::Relaxed);
            (count, seen, Instant::now())
        };
        Self {
            threads: counts.into_iter().map(begin).collect(),
            patience: interval * INTERVALS + GRACE,
        }
    }

    /// Whether each thread has counted lately.
    pub(crate) fn beats(&mut self, now: Instant) -> bool {
        for (count, seen, at) in &mut self.threads {
            let count = count.load(Ordering::Relaxed);
            if count != *seen {
                (*seen, *at) = (count, now);
            }
        }
        let mut ages = self
            .threads
            .iter()
            .map(|(_, _, at)| now.saturating_duration_since(*at));
        ages.all(|age| age < self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_that_hangs_is_enough() {
        let counts = [0, 0].map(|count| Arc::new(AtomicU64::new(count)));
        let mut pulse = Pulse::new(counts.to_vec(), Duration::from_secs(5));
        let later = Instant::now() + Duration::from_secs(76);
        counts[0].fetch_add(1, Ordering::Relaxed);
        assert!(!pulse.beats(later));
        counts[1].fetch_add(1, Ordering::Relaxed);
        assert!(pulse.beats(later));
    }
}
