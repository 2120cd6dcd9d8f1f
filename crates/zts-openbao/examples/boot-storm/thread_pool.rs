//! A pool of threads that works through a list of hosts.

use std::{
    io,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// The stack of a thread in bytes: a client needs some 100 KB, and a thousand threads must fit into
/// memory.
const STACK_SIZE: usize = 512 << 10;

/// Calls `work` for each number in `at_once` threads, which start together, and returns the
/// results.
///
/// # Errors
/// A thread that could not be started.
pub(crate) fn run_for_each<T: Send>(
    numbers: Range<usize>,
    at_once: usize,
    work: impl Fn(usize) -> T + Sync,
) -> io::Result<Vec<T>> {
    let count = numbers.len();
    let next = AtomicUsize::new(numbers.start);
    let (results, collected) = mpsc::channel();
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed_gate = gate.lock();
        for _ in 0..at_once.min(count) {
            let results = results.clone();
            let (next, work, gate) = (&next, &work, &gate);
            thread::Builder::new()
                .stack_size(STACK_SIZE)
                .spawn_scoped(scope, move || {
                    drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end || results.send(work(number)).is_err() {
                            break;
                        }
                    }
                })?;
        }
        drop(closed_gate);
        drop(results);
        Ok(collected.iter().collect())
    })
}
