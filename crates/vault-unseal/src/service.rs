//! The life of the program: one round, or until it is told to end.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use cli::Failure;
use nix::sys::signal::{SigSet, Signal};
use sd_notify::NotifyState;

use crate::{
    Arguments,
    configuration::Configuration,
    log::{self, Level, say},
    metrics::Metrics,
    pulse::Pulse,
    watch::{Seen, Watcher},
};

/// How long the first look at all nodes may take before the service counts as started all the same: a
/// node that hangs must not keep it from starting.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// All memory is locked, so a thread gets no more than it needs.
const STACK: usize = 1 << 20;

/// Looks once at all nodes, at the same time.
pub(crate) fn once(arguments: &Arguments) -> Result<(), Failure> {
    let configuration = Configuration::read(arguments)?;
    log::set(configuration.log_level);
    let metrics = Arc::new(Metrics::new(arguments.metrics_file.clone()));
    let mut threads = Vec::new();
    for mut watcher in watchers(&configuration, &metrics)? {
        threads.push(spawn(move || watcher.look())?);
    }
    let count = threads.len();
    let seen = threads.into_iter().map(JoinHandle::join);
    let left = seen
        .filter(|seen| !matches!(seen, Ok(Seen::Unsealed)))
        .count();
    metrics.write_once();
    if left == 0 {
        return Ok(());
    }
    Err(
        Failure::failed(format!("{left} of {count} nodes are not unsealed"))
            .hint("the lines above say why; with `log_level` `debug` they say more"),
    )
}

/// Looks after all nodes until SIGTERM or SIGINT; SIGHUP has it read its configuration again. SIGINT stays
/// ignored where it was at the start.
#[expect(
    clippy::needless_pass_by_value,
    reason = "they are the whole program's"
)]
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut signals: SigSet = [Signal::SIGHUP, Signal::SIGTERM].into_iter().collect();
    if !is_ignored(Signal::SIGINT) {
        signals.add(Signal::SIGINT);
    }
    // Before the first thread: only this one hears them.
    signals
        .thread_block()
        .map_err(|cause| Failure::failed(format!("signals cannot be waited for: {cause}")))?;
    let metrics = Arc::new(Metrics::new(arguments.metrics_file.clone()));
    let configuration = Configuration::read(&arguments)?;
    log::set(configuration.log_level);
    let mut watch = Watch::begin(watchers(&configuration, &metrics)?, &configuration)?;
    let kept = Arc::clone(&metrics);
    spawn(move || kept.keep())?;
    loop {
        match signals.wait() {
            Ok(Signal::SIGHUP) => watch = reload(&arguments, &metrics, watch)?,
            Ok(_) => {
                tell(&[NotifyState::Stopping]);
                return Ok(()); // every thread ends with the process, and none holds anything
            }
            Err(cause) => {
                return Err(Failure::failed(format!(
                    "signals cannot be waited for: {cause}"
                )));
            }
        }
    }
}

/// Returns whether the process was started with `signal` ignored, as shells do with SIGINT for background jobs.
/// Blocking and waiting for a signal would end that.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal as u32 - 1)) != 0)
}

/// Another configuration takes the place of the one before, unless it is wrong.
fn reload(arguments: &Arguments, metrics: &Arc<Metrics>, before: Watch) -> Result<Watch, Failure> {
    if let Ok(reloading) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, reloading]);
    }
    let read = Configuration::read(arguments)
        .and_then(|configuration| Ok((watchers(&configuration, metrics)?, configuration)));
    match read {
        Ok((watchers, configuration)) => {
            before.end();
            log::set(configuration.log_level);
            say(Level::Info, "the configuration was read again");
            Watch::begin(watchers, &configuration)
        }
        Err(failure) => {
            let why = failure.message();
            say(
                Level::Error,
                format_args!("{why}; goes on with the configuration of before"),
            );
            tell(&[NotifyState::Ready]);
            Ok(before)
        }
    }
}

/// The threads that look after the nodes of one configuration.
struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    fn begin(watchers: Vec<Watcher>, configuration: &Configuration) -> Result<Self, Failure> {
        let interval = configuration.probe_interval;
        let stop = Arc::new(AtomicBool::new(false));
        let (first, firsts) = mpsc::channel();
        let mut looks = Vec::new();
        let mut threads = Vec::new();
        for watcher in watchers {
            let count = Arc::new(AtomicU64::new(0));
            looks.push(Arc::clone(&count));
            let (stop, first) = (Arc::clone(&stop), first.clone());
            threads.push(spawn(move || watcher.run(interval, &stop, &count, &first))?);
        }
        let ended = Arc::clone(&stop);
        threads.push(spawn(move || {
            announce(&firsts, looks.len(), &ended);
            keep_alive(looks, interval, &ended);
        })?);
        Ok(Self { stop, threads })
    }

    /// Lets the threads end, and does not wait for those in the middle of a look.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in &self.threads {
            thread.thread().unpark();
        }
    }
}

/// Tells systemd that the service is ready once every node was looked at.
fn announce(firsts: &mpsc::Receiver<()>, count: usize, stop: &AtomicBool) {
    let until = Instant::now() + FIRST_LOOK;
    for _ in 0..count {
        let left = until.saturating_duration_since(Instant::now());
        if firsts.recv_timeout(left).is_err() {
            break;
        }
    }
    if !stop.load(Ordering::Relaxed) {
        tell(&[NotifyState::Ready]);
    }
}

/// Feeds systemd's watchdog as long as each node's thread goes on looking.
fn keep_alive(looks: Vec<Arc<AtomicU64>>, interval: Duration, stop: &AtomicBool) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut pulse = Pulse::new(looks, interval);
    while !stop.load(Ordering::Relaxed) {
        if pulse.beats(Instant::now()) {
            tell(&[NotifyState::Watchdog]);
        }
        thread::park_timeout(limit / 3);
    }
}

fn watchers(
    configuration: &Configuration,
    metrics: &Arc<Metrics>,
) -> Result<Vec<Watcher>, Failure> {
    let nodes = configuration.nodes.iter();
    let watchers: Vec<_> = nodes
        .map(|settings| Watcher::new(settings.clone(), &configuration.shares, metrics))
        .collect::<Result<_, _>>()?;
    metrics.about(watchers.iter().map(|watcher| watcher.name().to_owned()));
    Ok(watchers)
}

fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    thread.map_err(|cause| Failure::failed(format!("no thread can be started: {cause}")))
}

/// Where systemd does not listen, nothing happens.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(state) {
        say(
            Level::Warn,
            format_args!("systemd could not be told: {cause}"),
        );
    }
}
