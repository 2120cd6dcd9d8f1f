//! Many threads at one list of hosts.

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

/// A client needs some 100 KB; a thousand of them are to fit into any machine.
const STACK: usize = 512 << 10;

/// Has `at_once` threads, which start together, do `work` for each number; gives what came of each.
///
/// # Errors
/// A thread that could not be started.
pub(crate) fn each<T: Send>(
    numbers: Range<usize>,
    at_once: usize,
    work: impl Fn(usize) -> T + Sync,
) -> io::Result<Vec<T>> {
    let count = numbers.len();
    let next = AtomicUsize::new(numbers.start);
    let (results, collected) = mpsc::channel();
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        for _ in 0..at_once.min(count) {
            let results = results.clone();
            let (next, work, gate) = (&next, &work, &gate);
            thread::Builder::new()
                .stack_size(STACK)
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
        drop(closed);
        drop(results);
        Ok(collected.iter().collect())
    })
}
