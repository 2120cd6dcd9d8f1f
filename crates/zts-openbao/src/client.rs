//! A client of one OpenBao cluster.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use secrecy::SecretString;
use serde::de::{DeserializeOwned, IgnoredAny};
use ureq::Agent;
use zts_net::{Limits, TransportError, agent_config, build_agent};

use crate::{
    Address, Authentication, Error, NodeError, Reply, Request, Settings,
    events::{report_attempt, report_result},
    exchange::{Answer, NoAnswer, SendError},
    failover::Failover,
    health_probe::{probe, probe_concurrently},
    reply,
    route::ActiveNode,
};

/// A client of one OpenBao cluster.
///
/// It keeps its connection open, and tries the server first that answered last. A request that may
/// be repeated waits at most one connect timeout for all dead, silent or sealed servers together.
///
/// ```
/// use zts_openbao::{Address, Authentication, Client, Settings, kv};
///
/// let mut settings = Settings::new(Address::parse_list("http://127.0.0.1:1")?);
/// settings.connect_timeout = std::time::Duration::from_millis(100);
/// let mut client = Client::new(settings)?;
/// client.authenticate(Authentication::Token("s.example".into()));
/// // no server is there
/// assert!(kv::read(&client, "secret", "hosts/web01/db").unwrap_err().is_unavailable());
/// # Ok::<_, zts_openbao::Error>(())
/// ```
#[derive(Debug)]
pub struct Client {
    agent: Mutex<Agent>,
    pub(crate) settings: Settings,
    pub(crate) authentication: Authentication,
    pub(crate) deadline: Option<Instant>,
    preferred: AtomicUsize,
    /// The route to the active node, for a client whose requests reach no other.
    pub(crate) active: Option<ActiveNode>,
}

impl Client {
    /// Creates a client with `settings` and without authentication. It does not connect.
    ///
    /// # Errors
    /// No address, or root certificates that cannot be loaded.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        if settings.addresses.is_empty() {
            Address::parse_list("")?;
        }
        Ok(Self {
            agent: Mutex::new(new_agent(&settings)?),
            settings,
            authentication: Authentication::None,
            deadline: None,
            preferred: AtomicUsize::new(0),
            active: None,
        })
    }

    /// Returns a client with the same identity and open connections whose requests may reach any
    /// node.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            agent: Mutex::new(self.agent()),
            settings: self.settings.clone(),
            authentication: self.authentication.clone(),
            deadline: self.deadline,
            preferred: AtomicUsize::new(self.preferred.load(Ordering::Relaxed)),
            active: None,
        }
    }

    fn lock_agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the open connections: behind a load balancer, new ones may lead to other nodes.
    pub(crate) fn renew_connections(&self) {
        if let Ok(agent) = new_agent(&self.settings) {
            *self.lock_agent() = agent;
        }
    }

    /// Returns the agent; its clones share their connections.
    pub(crate) fn agent(&self) -> Agent {
        self.lock_agent().clone()
    }

    /// Authenticates further requests with `authentication`.
    pub fn authenticate(&mut self, authentication: Authentication) {
        self.authentication = authentication;
    }

    /// Ends every request at `deadline`, whatever the settings say.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Tries `address` first from now on, where it is one of the cluster's.
    pub fn prefer(&mut self, address: &Address) {
        let mut addresses = self.settings.addresses.iter();
        if let Some(index) = addresses.position(|known| known == address) {
            self.preferred = AtomicUsize::new(index);
        }
    }

    /// Returns the server that is tried first: the one that answered last, at the beginning the
    /// first of the list.
    pub fn address(&self) -> &Address {
        &self.settings.addresses[self.preferred.load(Ordering::Relaxed)]
    }

    /// Sends `request` and returns the answer; `None` for an answer without a body (HTTP 204).
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Unavailable`] names every server that was tried.
    pub fn send<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<Option<Reply<T>>, Error> {
        self.route_and_send(request, |answer| reply::parse(&answer.body))
    }

    /// Like [`Client::send`], for an endpoint whose answer is not used.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub(crate) fn send_ignoring_reply(&self, request: &Request<'_>) -> Result<(), Error> {
        self.send::<IgnoredAny>(request).map(|_| ())
    }

    /// Like [`Client::send`], for an endpoint whose answer always holds `data`.
    ///
    /// # Errors
    /// See [`Client::send`]; an answer without `data` is [`NodeError::BadReply`].
    pub fn data<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        let reply = self.send(request)?;
        reply
            .and_then(|reply| reply.data)
            .ok_or_else(|| self.incomplete_reply("data"))
    }

    /// Sends a login and returns the token.
    ///
    /// # Errors
    /// [`Error::LoginRefused`], and those of [`Client::send`].
    pub(crate) fn login(&self, request: &Request<'_>) -> Result<SecretString, Error> {
        let reply = self
            .send::<IgnoredAny>(request)
            .map_err(|error| match error {
                Error::Refused {
                    path, api_error, ..
                }
                | Error::Denied { path, api_error } => Error::LoginRefused { path, api_error },
                other => other,
            })?;
        let login = reply
            .and_then(|reply| reply.auth)
            .ok_or_else(|| self.incomplete_reply("auth"))?;
        Ok(login.client_token)
    }

    /// Like [`Client::send`], for the few endpoints that answer without the envelope.
    pub(crate) fn send_bare<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        self.route_and_send(request, |answer| reply::parse_bare(&answer.body))?
            .ok_or_else(|| self.incomplete_reply("the answer"))
    }

    /// Sends `request` to the active node for a client of [`Client::active`], else to any node.
    fn route_and_send<R>(
        &self,
        request: &Request<'_>,
        parse: impl Fn(&Answer) -> Result<R, NodeError>,
    ) -> Result<Option<R>, Error> {
        match &self.active {
            Some(active) => {
                self.send_to_active(active, request, || self.send_to_any(request, &parse))
            }
            None => self.send_to_any(request, parse),
        }
    }

    /// Sends `request` to one server after the other until one answers; `None` for an answer
    /// without a body.
    pub(crate) fn send_to_any<R>(
        &self,
        request: &Request<'_>,
        parse: impl Fn(&Answer) -> Result<R, NodeError>,
    ) -> Result<Option<R>, Error> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failover = Failover::new(&self.settings.addresses, first);
        let start_probes =
            |servers| probe_concurrently(&self.agent(), servers, self.probe_limits());
        while let Some(index) = failover
            .next_server(start_probes)
            .or_else(|| failover.retry_slow(self.longest_wait(request)))
        {
            let limits = self.limits(request, failover.count_left());
            let address = &self.settings.addresses[index];
            report_attempt(address, request);
            let started = Instant::now();
            let result = self.send_to_node(address, request, limits, &parse);
            report_result(address, request, started.elapsed(), &result);
            if !matches!(result, Err(SendError::NoAnswer(_))) {
                self.preferred.store(index, Ordering::Relaxed); // an API error is an answer, too
            }
            let no_answer = match result {
                Ok(reply) => return Ok(reply),
                Err(SendError::Final(error)) => return Err(error),
                Err(SendError::NoAnswer(no_answer)) => no_answer,
            };
            if may_be_slow(&no_answer) && failover.count_left() > 1 {
                failover.record_slow(index, limits.answer);
            }
            failover.record_failure(index, request.without_messages(no_answer.error));
            if no_answer.may_have_acted && !request.repeatable {
                break;
            }
        }
        Err(self.correct_sealed(failover.into_error()))
    }

    /// Returns the error for an answer that lacks `part`.
    pub(crate) fn incomplete_reply(&self, part: &str) -> Error {
        self.unavailable(NodeError::BadReply(format!("`{part}` is missing")))
    }

    /// Returns the error for the server that is tried first.
    pub(crate) fn unavailable(&self, error: impl Into<NodeError>) -> Error {
        Error::unavailable(self.address(), error)
    }

    /// Returns one server's share of the time that is left.
    ///
    /// While there are other servers and the request may be repeated, a server must begin to answer
    /// within the connect timeout: a standby that waits for a dead leader accepts the connection,
    /// and is silent.
    pub(crate) fn limits(&self, request: &Request<'_>, servers_left: usize) -> Limits {
        let share = self.time_left() / u32::try_from(servers_left.max(1)).unwrap_or(u32::MAX);
        let total = self.settings.request_timeout.min(share);
        let total = total.max(Duration::from_millis(1));
        let connect = self.settings.connect_timeout.min(total);
        let must_be_quick = request.repeatable && servers_left > 1;
        Limits {
            connect,
            answer: if must_be_quick { connect } else { total },
            total,
        }
    }

    fn probe_limits(&self) -> Limits {
        let time = self.settings.connect_timeout.min(self.time_left());
        let time = time.max(Duration::from_millis(1));
        Limits {
            connect: time,
            answer: time,
            total: time,
        }
    }

    /// Returns the time for which a single server could be waited for now.
    fn longest_wait(&self, request: &Request<'_>) -> Duration {
        self.limits(request, 1).answer
    }

    fn time_left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        })
    }

    /// Replaces [`NodeError::Sealed`] by [`NodeError::NotInitialized`] where that is so: a server
    /// that was never initialised answers that it is sealed. Each such server is probed.
    fn correct_sealed(&self, mut error: Error) -> Error {
        if let Error::Unavailable { attempts } = &mut error {
            let sealed = attempts.iter_mut();
            for attempt in sealed.filter(|attempt| matches!(attempt.error, NodeError::Sealed)) {
                let probed = probe(&self.agent(), &attempt.address, self.probe_limits());
                if let Some(error @ NodeError::NotInitialized) = probed {
                    attempt.error = error;
                }
            }
        }
        error
    }
}

/// Returns whether a server got the request and only ran out of time, so that more could help.
fn may_be_slow(no_answer: &NoAnswer) -> bool {
    no_answer.may_have_acted
        && matches!(
            no_answer.error.root(),
            NodeError::Transport(TransportError::Timeout(_))
        )
}

/// Builds an agent without open connections.
fn new_agent(settings: &Settings) -> Result<Agent, Error> {
    let needs_tls = settings.addresses.iter().any(Address::is_encrypted);
    let config = agent_config()
        .input_buffer_size(16 << 10)
        .output_buffer_size(16 << 10)
        .allow_non_standard_methods(true)
        .build();
    Ok(build_agent(config, &settings.trust, needs_tls)?)
}
