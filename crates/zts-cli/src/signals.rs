//! Blocks signals while a program must not end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::sys::signal::{SigSet, Signal, raise};

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in those that it starts later. A thread
/// waits for them and ends the process, but not while they are held ([`SignalBlock::hold`]).
///
/// It must begin before the program's first thread. A thread that was started earlier receives the
/// signal, and the process ends between an answer that OpenBao gives only once and the disk.
#[derive(Debug)]
pub struct SignalBlock {
    held: Arc<Mutex<()>>,
}

impl SignalBlock {
    /// Blocks the signals, and starts the thread that waits for them.
    pub fn begin() -> Self {
        let signals = ending();
        let held = Arc::new(Mutex::new(()));
        let watched = Arc::clone(&held);
        let _ = signals.thread_block();
        let started = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || wait(signals, &watched));
        if started.is_err() {
            let _ = signals.thread_unblock(); // `hold` blocks them in this thread at least
        }
        Self { held }
    }

    /// Keeps the process from ending until the result is dropped. A signal that arrives meanwhile
    /// takes effect then.
    pub fn hold(&self) -> Held<'_> {
        let _ = ending().thread_block();
        Held {
            _guard: self.held.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// A guard during whose lifetime signals do not end the process.
#[derive(Debug)]
pub struct Held<'a> {
    _guard: MutexGuard<'a, ()>,
}

/// Runs `work`, such as the start of another program, with the signals unblocked, because a child
/// inherits blocked signals and could not be ended.
pub fn with_signals<T>(work: impl FnOnce() -> T) -> T {
    let signals = ending();
    let before = signals.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_UNBLOCK);
    let result = work();
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    result
}

fn ending() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
        .into_iter()
        .collect()
}

/// Gives each signal its default effect. A signal that is ignored, as under `nohup`, has none.
fn wait(signals: SigSet, held: &Mutex<()>) {
    while let Ok(signal) = signals.wait() {
        let _guard = held.lock().unwrap_or_else(PoisonError::into_inner);
        let one: SigSet = [signal].into_iter().collect();
        let _ = raise(signal);
        let _ = one.thread_unblock(); // the process ends here
        let _ = one.thread_block();
    }
}
