//! Probes one node, and unseals it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
    thread,
    time::{Duration, Instant},
};

use zts_cli::Failure;
use zts_exposition::flag;
use zts_openbao::{Client, Error, NodeError, Settings, TransportError, sys};

use crate::{
    attempts::Attempts,
    log::{Level, report},
    metrics::Metrics,
    shares::KeyShares,
    unsealing::{UnsealResult, unseal_node},
};

/// The time after a lost connection in which the node is probed more often: it may be restarting.
const RESTART_TIME: Duration = Duration::from_secs(60);
/// The probe interval in that time.
const RESTART_INTERVAL: Duration = Duration::from_millis(250);

/// One node, and the results of earlier probes.
pub(crate) struct NodeWatcher {
    name: String,
    settings: Settings,
    client: Client,
    shares: Arc<KeyShares>,
    metrics: Arc<Metrics>,
    attempts: Attempts,
    /// The last log line: the same one is not repeated.
    last_line: Option<String>,
    unreachable_since: Option<Instant>,
}

/// The state of a node after a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeState {
    /// It is unsealed: active or a standby.
    Unsealed,
    /// It is sealed, and this probe did not unseal it.
    Sealed,
    /// It is not initialised, or has not joined a cluster yet.
    NotInitialised,
    /// It did not answer, or the answer is not OpenBao's.
    Unreachable,
}

impl NodeWatcher {
    /// Creates a watcher for the node of these settings.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub(crate) fn new(
        settings: Settings,
        shares: &Arc<KeyShares>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let client = Client::new(settings.clone())?;
        Ok(Self {
            name: client.address().to_string(),
            settings,
            client,
            shares: Arc::clone(shares),
            metrics: Arc::clone(metrics),
            attempts: Attempts::default(),
            last_line: None,
            unreachable_since: None,
        })
    }

    /// Returns the node's address.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Probes the node in intervals until `stop` is set. Increases `probes` after each probe, and
    /// sends a message through `first` after the first one.
    pub(crate) fn run(
        mut self,
        interval: Duration,
        stop: &AtomicBool,
        probes: &AtomicU64,
        first: &Sender<()>,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let state = self.probe();
            probes.fetch_add(1, Ordering::Relaxed);
            let _ = first.send(()); // later messages have no receiver
            thread::park_timeout(self.pause_after(state, interval));
        }
    }

    fn pause_after(&self, state: NodeState, interval: Duration) -> Duration {
        let since = self.unreachable_since;
        let may_restart = since.is_some_and(|since| since.elapsed() < RESTART_TIME);
        if may_restart && matches!(state, NodeState::Unreachable | NodeState::NotInitialised) {
            RESTART_INTERVAL.min(interval)
        } else {
            interval
        }
    }

    /// Probes the node once, and unseals it if it is sealed.
    pub(crate) fn probe(&mut self) -> NodeState {
        report(
            Level::Trace,
            format_args!("{}: requests its seal status", self.name),
        );
        let handled = sys::seal_status(&self.client).and_then(|status| self.handle_status(&status));
        let state = handled.unwrap_or_else(|error| self.handle_error(&error));
        if matches!(state, NodeState::Unsealed | NodeState::Sealed) {
            self.unreachable_since = None;
        }
        self.metrics.update_node(&self.name, |node| {
            node.up = state != NodeState::Unreachable;
            node.sealed = state == NodeState::Sealed;
            node.failures += flag(matches!(state, NodeState::Unreachable | NodeState::Sealed));
        });
        state
    }

    fn handle_status(&mut self, status: &sys::SealStatus) -> Result<NodeState, Error> {
        if !status.initialized {
            self.report(
                Level::Debug,
                "it is not initialised, and has not joined a cluster yet",
            );
            return Ok(NodeState::NotInitialised);
        }
        if !status.sealed {
            self.report(Level::Info, "it is unsealed");
            return Ok(NodeState::Unsealed);
        }
        if status.kind != "shamir" || status.threshold == 0 {
            let kind = &status.kind;
            self.report(
                Level::Error,
                format!("it is sealed, and its seal `{kind}` takes no key shares"),
            );
            return Ok(NodeState::Sealed);
        }
        self.unseal(status)
    }

    fn unseal(&mut self, status: &sys::SealStatus) -> Result<NodeState, Error> {
        let started = Instant::now();
        let result = unseal_node(&self.client, &self.shares, status, &mut self.attempts)?;
        let (have, needed) = (self.shares.len(), status.threshold);
        match result {
            UnsealResult::Unsealed { set, wrong } => {
                let set = self.shares.format_numbers(set);
                let is_wrong = !wrong.is_empty();
                let wrong = is_wrong.then(|| self.shares.format_numbers(wrong));
                self.report_unsealed(started, &set, wrong.as_deref());
                return Ok(NodeState::Unsealed);
            }
            UnsealResult::Pending => self.report(
                Level::Info,
                "it accepted the key shares, and is still sealed: it joins its cluster, or waits for another node",
            ),
            UnsealResult::TooFewShares => self.report(
                Level::Error,
                format!("it is sealed: {needed} different key shares are needed, and {have} are given"),
            ),
            UnsealResult::Disturbed => self.report(
                Level::Warn,
                "it is sealed: another client submits key shares at the same time",
            ),
            UnsealResult::SomeRefused => self.report(
                Level::Warn,
                format!("it is sealed, and refused {needed} of the {have} key shares: other sets are tried"),
            ),
            UnsealResult::AllRefused => {
                let numbers = self.shares.format_numbers(0..have);
                let tried = self.attempts.refused_count();
                let plural = if tried == 1 { "" } else { "s" };
                self.report(
                    Level::Error,
                    format!(
                        "it is sealed: no {needed} of the key shares {numbers} open it ({tried} set{plural} tried); \
                         they are of another cluster, damaged, or older than the last rotation of the key"
                    ),
                );
            }
        }
        Ok(NodeState::Sealed)
    }

    fn report_unsealed(&mut self, started: Instant, shares: &str, wrong: Option<&str>) {
        let took = started.elapsed().as_secs_f64();
        self.report(
            Level::Info,
            format!("unsealed in {took:.2} s with key shares {shares}"),
        );
        if let Some(numbers) = wrong {
            self.report(
                Level::Warn,
                format!("these key shares do not belong to it: {numbers}"),
            );
        }
        self.last_line = Some("it is unsealed".to_owned());
        self.metrics
            .update_node(&self.name, |node| node.unsealed += 1.0);
    }

    fn handle_error(&mut self, error: &Error) -> NodeState {
        self.unreachable_since.get_or_insert_with(Instant::now);
        let message = match error {
            Error::Unavailable { attempts } if attempts.len() == 1 => {
                if matches!(
                    attempts[0].error,
                    NodeError::Transport(TransportError::Tls(_))
                ) {
                    self.reload_certificates();
                }
                attempts[0].error.to_string()
            }
            other => other.to_string(),
        };
        self.report(Level::Warn, message);
        NodeState::Unreachable
    }

    /// Reads the CA certificates again, which may have been replaced.
    fn reload_certificates(&mut self) {
        if let Ok(client) = Client::new(self.settings.clone()) {
            self.client = client;
        }
    }

    /// Writes a log line, with the level `debug` if it is the same as the one before.
    fn report(&mut self, level: Level, text: impl Into<String>) {
        let text = text.into();
        let level = if self.last_line.as_ref() == Some(&text) {
            level.max(Level::Debug)
        } else {
            level
        };
        report(level, format_args!("{}: {text}", self.name));
        self.last_line = Some(text);
    }
}
