//! Looking after one node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
    thread,
    time::{Duration, Instant},
};

use cli::Failure;
use exposition::flag;
use openbao::{Client, Error, Settings, Trouble, sys};

use crate::{
    attempts::Attempts,
    log::{Level, say},
    metrics::Metrics,
    opening::{self, Opened},
    shares::Shares,
};

/// For that long after a node was lost it is looked at more often: it is likely to be restarting.
const RESTART: Duration = Duration::from_secs(60);
/// How often.
const SOON: Duration = Duration::from_millis(250);

/// One node and what is known of it.
pub(crate) struct Watcher {
    name: String,
    settings: Settings,
    client: Client,
    shares: Arc<Shares>,
    metrics: Arc<Metrics>,
    attempts: Attempts,
    /// What was said last, so that the same is not said again.
    said: Option<String>,
    lost_at: Option<Instant>,
}

/// What a node is after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It serves, or waits for others to.
    Unsealed,
    /// It is sealed, and stays so for now.
    Sealed,
    /// It has no data to unseal yet.
    NotInitialised,
    /// It did not answer, or not as OpenBao does.
    Lost,
}

impl Watcher {
    /// A watcher of the node that these settings lead to.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub(crate) fn new(
        settings: Settings,
        shares: &Arc<Shares>,
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
            said: None,
            lost_at: None,
        })
    }

    /// The node's address.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Looks again and again until `stop`; tells after the first look, and counts each.
    pub(crate) fn run(
        mut self,
        interval: Duration,
        stop: &AtomicBool,
        looks: &AtomicU64,
        first: &Sender<()>,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let seen = self.look();
            looks.fetch_add(1, Ordering::Relaxed);
            let _ = first.send(()); // nobody listens after the first
            thread::park_timeout(self.pause(seen, interval));
        }
    }

    fn pause(&self, seen: Seen, interval: Duration) -> Duration {
        let restarts = self.lost_at.is_some_and(|at| at.elapsed() < RESTART);
        if restarts && matches!(seen, Seen::Lost | Seen::NotInitialised) {
            SOON.min(interval)
        } else {
            interval
        }
    }

    /// Looks once, and opens the node where it is sealed.
    pub(crate) fn look(&mut self) -> Seen {
        say(
            Level::Trace,
            format_args!("{}: asks for its state", self.name),
        );
        let looked = sys::seal_status(&self.client).and_then(|state| self.judge(&state));
        let seen = looked.unwrap_or_else(|error| self.lost(&error));
        if matches!(seen, Seen::Unsealed | Seen::Sealed) {
            self.lost_at = None;
        }
        self.metrics.change(&self.name, |node| {
            node.up = seen != Seen::Lost;
            node.sealed = seen == Seen::Sealed;
            node.failures += flag(matches!(seen, Seen::Lost | Seen::Sealed));
        });
        seen
    }

    fn judge(&mut self, state: &sys::SealStatus) -> Result<Seen, Error> {
        if !state.initialized {
            self.say(
                Level::Debug,
                "it is not initialised, and has not joined a cluster yet",
            );
            return Ok(Seen::NotInitialised);
        }
        if !state.sealed {
            self.say(Level::Info, "it is unsealed");
            return Ok(Seen::Unsealed);
        }
        if state.kind != "shamir" || state.threshold == 0 {
            let kind = &state.kind;
            self.say(
                Level::Error,
                format!("it is sealed, and its seal `{kind}` takes no key shares"),
            );
            return Ok(Seen::Sealed);
        }
        self.open(state)
    }

    fn open(&mut self, state: &sys::SealStatus) -> Result<Seen, Error> {
        let began = Instant::now();
        let opened = opening::open(&self.client, &self.shares, state, &mut self.attempts)?;
        let (have, needed) = (self.shares.len(), state.threshold);
        match opened {
            Opened::By { set, wrong } => {
                let took = began.elapsed().as_secs_f64();
                let numbers = self.shares.numbers(set);
                self.say(
                    Level::Info,
                    format!("unsealed in {took:.2} s with key shares {numbers}"),
                );
                if !wrong.is_empty() {
                    let numbers = self.shares.numbers(wrong);
                    self.say(Level::Warn, format!("these key shares do not belong to it: {numbers}"));
                }
                self.said = Some("it is unsealed".to_owned());
                self.metrics.change(&self.name, |node| node.unsealed += 1.0);
                return Ok(Seen::Unsealed);
            }
            Opened::Soon => self.say(
                Level::Info,
                "it took the key shares, and is still sealed: it joins its cluster, or waits for another node",
            ),
            Opened::TooFew => self.say(
                Level::Error,
                format!("it is sealed: {needed} different key shares are needed, and {have} are given"),
            ),
            Opened::Disturbed => self.say(
                Level::Warn,
                "it is sealed: somebody else submits key shares at the same time",
            ),
            Opened::NotYet => self.say(
                Level::Warn,
                format!("it is sealed, and refused {needed} of the {have} key shares; tries others together"),
            ),
            Opened::None => {
                let numbers = self.shares.numbers(0..have);
                let tried = self.attempts.refused_count();
                let plural = if tried == 1 { "" } else { "s" };
                self.say(
                    Level::Error,
                    format!(
                        "it is sealed: no {needed} of the key shares {numbers} open it ({tried} set{plural} tried); \
                         they are another cluster's, damaged, or of before the keys were rotated"
                    ),
                );
            }
        }
        Ok(Seen::Sealed)
    }

    fn lost(&mut self, error: &Error) -> Seen {
        self.lost_at.get_or_insert_with(Instant::now);
        let why = match error {
            Error::Unavailable { attempts } if attempts.len() == 1 => {
                if matches!(attempts[0].trouble, Trouble::Tls(_)) {
                    self.trust_again();
                }
                attempts[0].trouble.to_string()
            }
            other => other.to_string(),
        };
        self.say(Level::Warn, why);
        Seen::Lost
    }

    /// Reads the CA certificates again: others may stand there by now.
    fn trust_again(&mut self) {
        if let Ok(client) = Client::new(self.settings.clone()) {
            self.client = client;
        }
    }

    /// Says it once, and only in `debug` while it stays the same.
    fn say(&mut self, level: Level, text: impl Into<String>) {
        let text = text.into();
        let known = self.said.as_ref() == Some(&text);
        let level = if known {
            level.max(Level::Debug)
        } else {
            level
        };
        say(level, format_args!("{}: {text}", self.name));
        self.said = Some(text);
    }
}
