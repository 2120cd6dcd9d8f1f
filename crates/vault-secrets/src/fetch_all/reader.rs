//! Reads secrets one after the other, within one time limit for all of them.

use std::time::{Duration, Instant};

use zts_cli::warn;
use zts_delivery::{HostState, QueryError, RetryPolicy, SecretRef, Session};
use zts_openbao::{Error, NodeFailure, kv::SecretVersion};

/// The longest time from OpenBao's first answer, or from the end of the time for it, until the
/// secrets' own units are started. A slow server delays no service for longer than this because of
/// another service's secret.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The limits before the first query, which sets its own.
pub(super) const LIMITS_OF_SESSION: RetryPolicy = RetryPolicy {
    deadline: Duration::ZERO,
    only_busy: true,
};

/// A session that reads until the time is over.
pub(super) struct Reader<'a> {
    session: Session<'a>,
    begun: Instant,
    /// The time for the first answer, and for each further one.
    limit: Duration,
    /// Set where the secrets' own units wait. Else the reads go on while OpenBao answers.
    do_units_wait: bool,
    first_answer: Option<Instant>,
    /// The failures of all servers, after which none is queried any more.
    unavailable: Option<Vec<NodeFailure>>,
}

impl<'a> Reader<'a> {
    /// Begins now.
    pub(super) fn new(session: Session<'a>, limit: Duration, do_units_wait: bool) -> Self {
        Self {
            session,
            begun: Instant::now(),
            limit,
            do_units_wait,
            first_answer: None,
            unavailable: None,
        }
    }

    /// Returns when the reads end.
    fn ends_at(&self) -> Instant {
        match self.first_answer {
            None => self.begun + self.limit,
            Some(at) if self.do_units_wait => at + LONGEST_WAIT,
            Some(_) => Instant::now() + self.limit,
        }
    }

    /// Returns when the secrets' own units may start at the latest.
    pub(super) fn ready_at(&self) -> Instant {
        self.first_answer.unwrap_or(self.begun + self.limit) + LONGEST_WAIT
    }

    /// Returns until when the secrets' own units wait, if they do.
    pub(super) fn units_wait_until(&self) -> Option<Instant> {
        self.do_units_wait.then(|| self.ready_at())
    }

    /// Reads a secret. Once no server could be used, returns that error without a query. Returns
    /// `None` where OpenBao answers, but the time is over.
    pub(super) fn read(
        &mut self,
        secret: SecretRef<'_>,
        host: HostState<'_>,
    ) -> Option<Result<SecretVersion, QueryError>> {
        if let Some(attempts) = self.unavailable.clone() {
            let cause = Error::Unavailable { attempts };
            return Some(Err(QueryError::Unavailable(cause)));
        }
        let remaining = self.ends_at().checked_duration_since(Instant::now())?;
        self.session.set_retry_policy(RetryPolicy {
            deadline: remaining.min(self.limit),
            only_busy: true,
        });
        let answer = self.session.read(secret, host);
        match &answer {
            Err(error @ QueryError::Unavailable(Error::Unavailable { attempts }))
                if !error.concerns_one_secret() =>
            {
                if self.first_answer.is_some() && Instant::now() >= self.ends_at() {
                    return None;
                }
                self.unavailable = Some(attempts.clone());
            }
            _ => drop(self.first_answer.get_or_insert_with(Instant::now)),
        }
        Some(answer)
    }

    /// Warns of a server that could not be used or answered too slowly, where a secret is left for
    /// that, and of a cluster without a leader.
    pub(super) fn report(&mut self, is_secret_left: bool) {
        match self.unavailable.take() {
            Some(attempts) if is_secret_left => warn(Error::Unavailable { attempts }),
            Some(_) => {}
            None => {
                if let Some(missing_leader) = self.session.find_missing_leader() {
                    warn(format_args!(
                        "{missing_leader}: there may be newer versions"
                    ));
                }
            }
        }
    }
}
