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
use openbao::{Client, Error, Settings, sys};

use crate::{
    log::{Level, say},
    metrics::Metrics,
    opening::{self, Opened, Refused},
    shares::Shares,
};

/// For that long after a node was lost it is looked at more often: it is likely to be restarting.
const RESTART: Duration = Duration::from_secs(60);
/// How often.
const SOON: Duration = Duration::from_millis(250);

/// One node and what is known of it.
pub(crate) struct Watcher {
    name: String,
    client: Client,
    shares: Arc<Shares>,
    metrics: Arc<Metrics>,
    refused: Refused,
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
        let client = Client::new(settings)?;
        Ok(Self {
            name: client.address().to_string(),
            client,
            shares: Arc::clone(shares),
            metrics: Arc::clone(metrics),
            refused: Refused::default(),
            said: None,
            lost_at: None,
        })
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
        let seen = match sys::seal_status(&self.client) {
            Ok(state) => self.judge(&state),
            Err(error) => Err(error),
        };
        let seen = seen.unwrap_or_else(|error| self.lost(&error));
        if seen != Seen::Lost && seen != Seen::NotInitialised {
            self.lost_at = None;
        }
        self.metrics.change(&self.name, |node| {
            node.up = seen != Seen::Lost;
            node.sealed = seen == Seen::Sealed;
            node.failures += u64::from(matches!(seen, Seen::Lost | Seen::Sealed));
        });
        seen
    }

    fn judge(&mut self, state: &sys::SealStatus) -> Result<Seen, Error> {
        if !state.initialized {
            self.say(
                Level::Info,
                "it is not initialised yet, and has not joined a cluster".into(),
            );
            return Ok(Seen::NotInitialised);
        }
        if !state.sealed {
            self.refused.clear();
            self.say(Level::Debug, "it is unsealed".into());
            return Ok(Seen::Unsealed);
        }
        if state.kind != "shamir" {
            let text = format!(
                "it is sealed, and its seal `{}` takes no key shares",
                state.kind
            );
            self.say(Level::Error, text);
            return Ok(Seen::Sealed);
        }
        self.open(state)
    }

    fn open(&mut self, state: &sys::SealStatus) -> Result<Seen, Error> {
        let began = Instant::now();
        match opening::open(&self.client, &self.shares, state, &mut self.refused)? {
            Opened::By(numbers) => {
                self.refused.clear();
                let by = numbers
                    .iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join(", ");
                let took = began.elapsed().as_secs_f64();
                self.say(
                    Level::Info,
                    format!("unsealed in {took:.2} s with key shares {by}"),
                );
                self.metrics.change(&self.name, |node| node.unsealed += 1);
                return Ok(Seen::Unsealed);
            }
            Opened::TooFew { needed } => {
                let have = self.shares.len();
                self.say(
                    Level::Error,
                    format!("it is sealed: {needed} different key shares are needed, and {have} are given"),
                );
            }
            Opened::NotYet => {
                let count = self.refused.len();
                self.say(
                    Level::Warn,
                    format!(
                        "it is sealed: {count} sets of key shares do not open it; tries others"
                    ),
                );
            }
            Opened::None => {
                let have = self.shares.len();
                let needed = state.threshold;
                self.say(
                    Level::Error,
                    format!(
                        "it is sealed: no {needed} of the {have} key shares open it; they are another cluster's, damaged, or of before a rekey"
                    ),
                );
            }
        }
        Ok(Seen::Sealed)
    }

    fn lost(&mut self, error: &Error) -> Seen {
        self.lost_at.get_or_insert_with(Instant::now);
        self.say(Level::Warn, error.without_address());
        Seen::Lost
    }

    /// Says it once, and only in `debug` while it stays the same.
    fn say(&mut self, level: Level, text: String) {
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
