//! Detection of threads that hang, for systemd's watchdog.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A thread hangs or is dead if it has not probed its node for this many intervals and this time.
const INTERVALS: u32 = 3;
const GRACE: Duration = Duration::from_secs(60);

/// The probe counts of all threads.
pub(crate) struct ThreadWatchdog {
    threads: Vec<ProbeCount>,
    timeout: Duration,
}

struct ProbeCount {
    count: Arc<AtomicU64>,
    /// The count at the last check, and the time when it was first seen.
    last: (u64, Instant),
}

impl ThreadWatchdog {
    /// Creates a watchdog for threads that increase these counts at least once an interval.
    pub(crate) fn new(counts: Vec<Arc<AtomicU64>>, interval: Duration) -> Self {
        let start = |count: Arc<AtomicU64>| {
            let last = (count.load(Ordering::Relaxed), Instant::now());
            ProbeCount { count, last }
        };
        Self {
            threads: counts.into_iter().map(start).collect(),
            timeout: interval * INTERVALS + GRACE,
        }
    }

    /// Returns whether each thread has probed its node within the timeout.
    pub(crate) fn are_all_alive(&mut self, now: Instant) -> bool {
        for thread in &mut self.threads {
            let count = thread.count.load(Ordering::Relaxed);
            if count != thread.last.0 {
                thread.last = (count, now);
            }
        }
        let mut threads = self.threads.iter();
        threads.all(|thread| now.saturating_duration_since(thread.last.1) < self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hanging_thread_is_detected() {
        let counts = [0, 0].map(|count| Arc::new(AtomicU64::new(count)));
        let mut watchdog = ThreadWatchdog::new(counts.to_vec(), Duration::from_secs(5));
        let later = Instant::now() + Duration::from_secs(76);
        counts[0].fetch_add(1, Ordering::Relaxed);
        assert!(!watchdog.are_all_alive(later));
        counts[1].fetch_add(1, Ordering::Relaxed);
        assert!(watchdog.are_all_alive(later));
    }
}
