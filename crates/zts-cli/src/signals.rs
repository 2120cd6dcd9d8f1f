//! Blocks signals while a program must not end.

use std::{
    io,
    process::{Child, Command},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::{
    sys::signal::{SigSet, Signal, kill, raise},
    unistd::Pid,
};

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in those that it starts later. A thread
/// waits for them and ends the process, but not while they are held ([`SignalBlock::hold`]).
///
/// It must begin before the program's first thread. A thread that was started earlier receives the
/// signal, and the process ends between an answer that OpenBao gives only once and the disk.
#[derive(Debug)]
pub struct SignalBlock {
    held: Arc<Mutex<()>>,
    /// The program that ends with this process.
    child: Arc<Mutex<Option<Pid>>>,
}

impl SignalBlock {
    /// Blocks the signals, and starts the thread that waits for them.
    pub fn begin() -> Self {
        let signals = ending();
        let (held, child) = (Arc::default(), Arc::default());
        let watched = (Arc::clone(&held), Arc::clone(&child));
        let _ = signals.thread_block();
        let started = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || wait(signals, &watched.0, &watched.1));
        if started.is_err() {
            let _ = signals.thread_unblock(); // `hold` blocks them in this thread at least
        }
        Self { held, child }
    }

    /// Keeps the process from ending until the result is dropped. A signal that arrives meanwhile
    /// takes effect then.
    pub fn hold(&self) -> Held<'_> {
        let _ = ending().thread_block();
        Held {
            _guard: self.held.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Starts a program, and returns the result of `work` with it. A signal that ends this process
    /// meanwhile is passed on to the program, which would otherwise outlive it. The program stays
    /// in the process group of the terminal, where it may ask for a passphrase.
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn run_child<T>(
        &self,
        command: &mut Command,
        work: impl FnOnce(&mut Child) -> io::Result<T>,
    ) -> io::Result<T> {
        let lock = || self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = {
            let mut registered = lock();
            let child = with_signals(|| command.spawn())?;
            *registered = i32::try_from(child.id()).ok().map(Pid::from_raw);
            child
        };
        let result = work(&mut child);
        *lock() = None;
        result
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
fn wait(signals: SigSet, held: &Mutex<()>, child: &Mutex<Option<Pid>>) {
    while let Ok(signal) = signals.wait() {
        let _guard = held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = *child.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = kill(child, signal);
        }
        let one: SigSet = [signal].into_iter().collect();
        let _ = raise(signal);
        let _ = one.thread_unblock(); // the process ends here
        let _ = one.thread_block();
    }
}
