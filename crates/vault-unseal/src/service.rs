//! Runs the program once, or as a service of systemd.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::sys::signal::{SigSet, Signal};
use rustix::mm::{MlockAllFlags, mlockall, munlockall};
use sd_notify::NotifyState;
use zts_cli::Failure;

use crate::{
    Arguments,
    configuration::Configuration,
    log::{Level, report, set_level},
    metrics::Metrics,
    node_watcher::{NodeState, NodeWatcher},
    watchdog::ThreadWatchdog,
};

/// The time limit for the first probe of all nodes. After it the service counts as started, so that
/// a node that does not answer does not delay the start.
const FIRST_PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// The stack of a thread, in bytes. It is small because all memory is locked.
const STACK_SIZE: usize = 1 << 20;

/// The memory that the program may allocate later, in bytes: threads, their stacks, and the C
/// library's reserve for each of them.
const LATER_MEMORY: usize = 64 << 20;

/// Locks all memory, so that no key share is swapped to disk, and also memory that is allocated
/// later. If that is refused, the program warns and continues.
pub(crate) fn lock_memory() {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = mlockall(all).map_err(io::Error::from);
    if let Err(cause) = locked.and_then(|()| try_allocation()) {
        let _ = munlockall();
        report(
            Level::Warn,
            format_args!(
                "memory is not locked, and may be swapped to disk: {cause} (`LimitMEMLOCK=128M` or `ulimit -l`)"
            ),
        );
    }
}

/// Allocates and frees that much memory, as a stack: a limit shows only when it is reached.
fn try_allocation() -> io::Result<()> {
    let thread = thread::Builder::new()
        .stack_size(LATER_MEMORY)
        .spawn(|| ())?;
    thread.join().map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Probes all nodes once, at the same time.
pub(crate) fn run_once(arguments: &Arguments) -> Result<(), Failure> {
    let configuration = Configuration::read(arguments)?;
    set_level(configuration.log_level);
    let metrics = Arc::new(Metrics::new(arguments.metrics_file.clone()));
    let mut threads = Vec::new();
    for mut watcher in create_watchers(&configuration, &metrics)? {
        threads.push(spawn_thread(move || watcher.probe())?);
    }
    let count = threads.len();
    let states = threads.into_iter().map(JoinHandle::join);
    let left = states
        .filter(|state| !matches!(state, Ok(NodeState::Unsealed)))
        .count();
    metrics.write_once();
    if left == 0 {
        return Ok(());
    }
    Err(
        Failure::failed(format!("{left} of {count} nodes are not unsealed"))
            .hint("see the lines above; `log_level` `debug` gives more"),
    )
}

/// Watches all nodes until SIGTERM or SIGINT. SIGHUP reloads the configuration. SIGINT stays
/// ignored if it was ignored at the start.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`zts_cli::main` passes the arguments by value"
)]
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut signals: SigSet = [Signal::SIGHUP, Signal::SIGTERM].into_iter().collect();
    if !is_ignored(Signal::SIGINT) {
        signals.add(Signal::SIGINT);
    }
    // before the first thread, so that only this one receives them
    signals
        .thread_block()
        .map_err(|cause| Failure::failed(format!("signals cannot be waited for: {cause}")))?;
    let metrics = Arc::new(Metrics::new(arguments.metrics_file.clone()));
    let configuration = Configuration::read(&arguments)?;
    set_level(configuration.log_level);
    let watchers = create_watchers(&configuration, &metrics)?;
    let mut threads = WatcherThreads::start(watchers, &configuration)?;
    let written = Arc::clone(&metrics);
    spawn_thread(move || written.write_on_change())?;
    loop {
        match signals.wait() {
            Ok(Signal::SIGHUP) => threads = reload(&arguments, &metrics, threads)?,
            Ok(_) => {
                notify_systemd(&[NotifyState::Stopping]);
                return Ok(()); // the threads end with the process
            }
            Err(cause) => {
                return Err(Failure::failed(format!(
                    "signals cannot be waited for: {cause}"
                )));
            }
        }
    }
}

/// Returns whether the process was started with `signal` ignored, as shells do with SIGINT for
/// background jobs. Blocking and waiting for a signal would change that.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal as u32 - 1)) != 0)
}

/// Starts threads with the new configuration. Keeps the threads of the old one if it is not valid.
fn reload(
    arguments: &Arguments,
    metrics: &Arc<Metrics>,
    before: WatcherThreads,
) -> Result<WatcherThreads, Failure> {
    if let Ok(reloading) = NotifyState::monotonic_usec_now() {
        notify_systemd(&[NotifyState::Reloading, reloading]);
    }
    let read = Configuration::read(arguments)
        .and_then(|configuration| Ok((create_watchers(&configuration, metrics)?, configuration)));
    match read {
        Ok((watchers, configuration)) => {
            before.stop();
            set_level(configuration.log_level);
            report(Level::Info, "the configuration was reloaded");
            WatcherThreads::start(watchers, &configuration)
        }
        Err(failure) => {
            let message = failure.message();
            report(
                Level::Error,
                format_args!("{message}; the previous configuration stays in use"),
            );
            notify_systemd(&[NotifyState::Ready]);
            Ok(before)
        }
    }
}

/// The threads that watch the nodes of one configuration.
struct WatcherThreads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl WatcherThreads {
    fn start(watchers: Vec<NodeWatcher>, configuration: &Configuration) -> Result<Self, Failure> {
        let interval = configuration.probe_interval;
        let stop = Arc::new(AtomicBool::new(false));
        let (first, first_probes) = mpsc::channel();
        let mut counts = Vec::new();
        let mut threads = Vec::new();
        for watcher in watchers {
            let count = Arc::new(AtomicU64::new(0));
            counts.push(Arc::clone(&count));
            let (stop, first) = (Arc::clone(&stop), first.clone());
            threads.push(spawn_thread(move || {
                watcher.run(interval, &stop, &count, &first);
            })?);
        }
        let stopped = Arc::clone(&stop);
        threads.push(spawn_thread(move || {
            notify_ready(&first_probes, counts.len(), &stopped);
            feed_watchdog(counts, interval, &stopped);
        })?);
        Ok(Self { stop, threads })
    }

    /// Ends the threads, without waiting for those that are probing.
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in &self.threads {
            thread.thread().unpark();
        }
    }
}

/// Notifies systemd that the service is ready, once each node was probed.
fn notify_ready(first_probes: &mpsc::Receiver<()>, count: usize, stop: &AtomicBool) {
    let until = Instant::now() + FIRST_PROBE_TIMEOUT;
    for _ in 0..count {
        let left = until.saturating_duration_since(Instant::now());
        if first_probes.recv_timeout(left).is_err() {
            break;
        }
    }
    if !stop.load(Ordering::Relaxed) {
        notify_systemd(&[NotifyState::Ready]);
    }
}

/// Feeds systemd's watchdog as long as each thread probes its node.
fn feed_watchdog(counts: Vec<Arc<AtomicU64>>, interval: Duration, stop: &AtomicBool) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut watchdog = ThreadWatchdog::new(counts, interval);
    while !stop.load(Ordering::Relaxed) {
        if watchdog.are_all_alive(Instant::now()) {
            notify_systemd(&[NotifyState::Watchdog]);
        }
        thread::park_timeout(limit / 3);
    }
}

fn create_watchers(
    configuration: &Configuration,
    metrics: &Arc<Metrics>,
) -> Result<Vec<NodeWatcher>, Failure> {
    let nodes = configuration.nodes.iter();
    let watchers: Vec<_> = nodes
        .map(|settings| NodeWatcher::new(settings.clone(), &configuration.shares, metrics))
        .collect::<Result<_, _>>()?;
    metrics.set_nodes(watchers.iter().map(|watcher| watcher.name().to_owned()));
    Ok(watchers)
}

fn spawn_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let thread = thread::Builder::new().stack_size(STACK_SIZE).spawn(work);
    thread.map_err(|cause| Failure::failed(format!("no thread can be started: {cause}")))
}

/// Notifies systemd, if it started this process.
fn notify_systemd(state: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(state) {
        report(
            Level::Warn,
            format_args!("systemd could not be notified: {cause}"),
        );
    }
}
