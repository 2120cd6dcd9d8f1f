//! The life of the program: one round, or until it is told to end.

use std::{
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
    watch::{Seen, Watcher},
};

/// How long the first look at all nodes may take before the service counts as started all the same: a
/// node that hangs must not keep it from starting.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// A node's thread that has not looked for so many intervals, and a minute, hangs or is dead.
const INTERVALS: u32 = 3;
const GRACE: Duration = Duration::from_secs(60);

/// Looks once at all nodes, at the same time.
pub(crate) fn once(arguments: &Arguments) -> Result<(), Failure> {
    let configuration = Configuration::read(arguments)?;
    log::set(configuration.log_level);
    let metrics = Arc::new(Metrics::new(arguments.metrics_file.clone()));
    let watchers = watchers(&configuration, &metrics)?;
    let count = watchers.len();
    let threads: Vec<_> = watchers
        .into_iter()
        .map(|mut watcher| thread::spawn(move || watcher.look()))
        .collect();
    let seen = threads.into_iter().map(JoinHandle::join);
    let idle = seen
        .filter(|seen| !matches!(seen, Ok(Seen::Unsealed)))
        .count();
    if idle == 0 {
        return Ok(());
    }
    Err(
        Failure::failed(format!("{idle} of {count} nodes are not unsealed"))
            .hint("the lines above say why"),
    )
}

/// Looks after all nodes until SIGTERM or SIGINT; SIGHUP has it read its configuration again.
#[expect(
    clippy::needless_pass_by_value,
    reason = "they are the whole program's"
)]
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let signals: SigSet = [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT]
        .into_iter()
        .collect();
    // Before the first thread: only this one hears them.
    signals
        .thread_block()
        .map_err(|cause| Failure::failed(format!("signals cannot be waited for: {cause}")))?;
    let metrics = Arc::new(Metrics::new(arguments.metrics_file.clone()));
    let mut watch = Watch::begin(&Configuration::read(&arguments)?, &metrics)?;
    loop {
        match signals.wait() {
            Ok(Signal::SIGHUP) => watch = reload(&arguments, &metrics, watch),
            Ok(_) => {
                tell(&[NotifyState::Stopping]);
                return Ok(()); // every thread ends with the process, and none holds anything
            }
            Err(cause) => say(
                Level::Error,
                format_args!("no signal can be waited for: {cause}"),
            ),
        }
    }
}

/// Another configuration takes the place of the one before, unless it is wrong.
fn reload(arguments: &Arguments, metrics: &Arc<Metrics>, before: Watch) -> Watch {
    if let Ok(reloading) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, reloading]);
    }
    let read = Configuration::read(arguments);
    match read.and_then(|configuration| Watch::begin(&configuration, metrics)) {
        Ok(watch) => {
            before.end();
            say(Level::Info, "the configuration was read again");
            watch
        }
        Err(failure) => {
            let why = failure.message();
            say(Level::Error, format_args!("goes on as before: {why}"));
            tell(&[NotifyState::Ready]);
            before
        }
    }
}

/// The threads that look after the nodes of one configuration.
struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    fn begin(configuration: &Configuration, metrics: &Arc<Metrics>) -> Result<Self, Failure> {
        let watchers = watchers(configuration, metrics)?;
        log::set(configuration.log_level);
        let interval = configuration.probe_interval;
        let stop = Arc::new(AtomicBool::new(false));
        let (first, firsts) = mpsc::channel();
        let mut looks = Vec::new();
        let mut threads = Vec::new();
        for watcher in watchers {
            let count = Arc::new(AtomicU64::new(0));
            looks.push(Arc::clone(&count));
            let (stop, first) = (Arc::clone(&stop), first.clone());
            threads.push(thread::spawn(move || {
                watcher.run(interval, &stop, &count, &first);
            }));
        }
        let ended = Arc::clone(&stop);
        threads.push(thread::spawn(move || {
            announce(&firsts, looks.len());
            keep_alive(&looks, interval, &ended);
        }));
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
fn announce(firsts: &mpsc::Receiver<()>, count: usize) {
    let until = Instant::now() + FIRST_LOOK;
    for _ in 0..count {
        let left = until.saturating_duration_since(Instant::now());
        if firsts.recv_timeout(left).is_err() {
            break;
        }
    }
    tell(&[NotifyState::Ready]);
}

/// Feeds systemd's watchdog as long as each node's thread goes on looking.
fn keep_alive(looks: &[Arc<AtomicU64>], interval: Duration, stop: &AtomicBool) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let read = || looks.iter().map(|count| count.load(Ordering::Relaxed));
    let mut seen: Vec<_> = read().map(|count| (count, Instant::now())).collect();
    while !stop.load(Ordering::Relaxed) {
        for (place, count) in read().enumerate() {
            if seen[place].0 != count {
                seen[place] = (count, Instant::now());
            }
        }
        let patience = interval * INTERVALS + GRACE;
        if seen.iter().all(|(_, at)| at.elapsed() < patience) {
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
    nodes
        .map(|settings| Watcher::new(settings.clone(), &configuration.shares, metrics))
        .collect()
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
