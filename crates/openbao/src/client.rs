//! A client of one OpenBao cluster.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use ureq::Agent;

use crate::{
    Address, Attempt, Authentication, Error, Method, Refusal, Reply, Request, Settings, Trouble,
    active::{ActiveNode, standby},
    agent,
    destination::{self, Astray, Why},
    exchange::{Answer, Message, Opened, exchange, is_redirect},
    lockout, path, reply,
    round::Round,
    scout,
    transport::{Limits, NoAnswer},
};

/// A client of one OpenBao cluster. It keeps its connection open and asks the server that answered
/// last first. However many of the others are dead, silent or sealed: a request that may be repeated
/// waits for them no longer than one connect timeout.
#[derive(Debug)]
pub struct Client {
    agent: Mutex<Agent>,
    settings: Settings,
    authentication: Authentication,
    pub(crate) deadline: Option<Instant>,
    preferred: AtomicUsize,
    /// The way to the active node, for a client that speaks to no other.
    pub(crate) active: Option<ActiveNode>,
}

impl Client {
    /// A client with `settings` and no proof of identity yet. It does not connect.
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

    /// A client like this one, with the same open connections, that speaks to any node.
    pub(crate) fn again(&self) -> Self {
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

    /// Forgets the open connections: behind a balancer, new ones may lead to other nodes.
    pub(crate) fn renew_connections(&self) {
        if let Ok(agent) = new_agent(&self.settings) {
            *self.lock_agent() = agent;
        }
    }

    /// The agent, which shares its connections.
    fn agent(&self) -> Agent {
        self.lock_agent().clone()
    }

    /// Proves with `authentication` from now on who asks.
    pub fn authenticate(&mut self, authentication: Authentication) {
        self.authentication = authentication;
    }

    /// Ends every request at `deadline`, whatever the settings say.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Asks `address` first from now on, unless it is none of the cluster's.
    pub fn prefer(&mut self, address: &Address) {
        let mut addresses = self.settings.addresses.iter();
        if let Some(index) = addresses.position(|known| known == address) {
            self.preferred = AtomicUsize::new(index);
        }
    }

    /// The server that is asked first: the one that answered last, or the first one given.
    pub fn address(&self) -> &Address {
        &self.settings.addresses[self.preferred.load(Ordering::Relaxed)]
    }

    /// Sends `request` and gives the answer; `None` for an answer without a body (HTTP 204).
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Unavailable`] names every server that was tried.
    pub fn send<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<Option<Reply<T>>, Error> {
        self.route_and_send(request, |answer| reply::parse(&answer.body))
    }

    /// Sends `request` to the active node where this client speaks to no other, else to any.
    fn route_and_send<R>(
        &self,
        request: &Request<'_>,
        parse: impl Fn(&Answer) -> Result<R, Trouble>,
    ) -> Result<Option<R>, Error> {
        match &self.active {
            Some(active) => self.at_active(active, request, || self.each_server(request, &parse)),
            None => self.each_server(request, parse),
        }
    }

    /// Asks one server after the other until one answers; `None` for an answer without a body.
    pub(crate) fn each_server<R>(
        &self,
        request: &Request<'_>,
        parse: impl Fn(&Answer) -> Result<R, Trouble>,
    ) -> Result<Option<R>, Error> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut round = Round::new(&self.settings.addresses, first);
        let scout =
            |servers: Vec<_>| scout::send(&self.agent(), servers.into_iter(), self.scouting());
        while let Some(index) = round
            .next(scout)
            .or_else(|| round.again(self.longest_wait(request)))
        {
            let limits = self.limits(request, round.count_left());
            let address = &self.settings.addresses[index];
            let answered = self.ask(address, request, limits, &parse);
            if !matches!(answered, Ok(Err(_))) {
                self.preferred.store(index, Ordering::Relaxed); // a refusal is an answer, too
            }
            match answered? {
                Ok(reply) => return Ok(reply),
                Err(NoAnswer {
                    trouble,
                    may_have_acted,
                }) => {
                    let may_be_slow = may_have_acted && matches!(trouble, Trouble::Timeout(_));
                    if may_be_slow && round.count_left() > 1 {
                        round.hurried(index, limits.answer);
                    }
                    round.failed(index, request.without_words(trouble));
                    if may_have_acted && !request.repeatable {
                        break;
                    }
                }
            }
        }
        Err(self.without_false_seals(round.into_error()))
    }

    /// Like [`Client::send`], for an endpoint whose answer always holds `data`.
    ///
    /// # Errors
    /// See [`Client::send`]; an answer without `data` is [`Trouble::BadReply`].
    pub fn data<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        let reply = self.send(request)?;
        reply
            .and_then(|reply| reply.data)
            .ok_or_else(|| self.incomplete("data"))
    }

    /// Sends a login and gives the token.
    ///
    /// # Errors
    /// [`Error::LoginRefused`], and what [`Client::send`] gives.
    pub(crate) fn login(&self, request: &Request<'_>) -> Result<SecretString, Error> {
        let reply = self
            .send::<serde::de::IgnoredAny>(request)
            .map_err(|error| match error {
                Error::Refused { path, refusal, .. } | Error::Denied { path, refusal } => {
                    Error::LoginRefused { path, refusal }
                }
                other => other,
            })?;
        let login = reply
            .and_then(|reply| reply.auth)
            .ok_or_else(|| self.incomplete("auth"))?;
        Ok(login.client_token)
    }

    /// Like [`Client::send`], for the few endpoints that answer without the envelope.
    pub(crate) fn send_bare<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        self.route_and_send(request, |answer| reply::parse_bare(&answer.body))?
            .ok_or_else(|| self.incomplete("the answer"))
    }

    /// The error for an answer that lacks `part`.
    pub(crate) fn incomplete(&self, part: &str) -> Error {
        self.unusable(Trouble::BadReply(format!("`{part}` is missing")))
    }

    /// One server's share of the time that is left. While there are others and the request may be
    /// repeated, it must begin to answer as soon as it must let itself be connected to: a standby
    /// that waits for a dead leader takes the connection, and is silent.
    fn limits(&self, request: &Request<'_>, servers_left: usize) -> Limits {
        let share = self.time_left() / u32::try_from(servers_left.max(1)).unwrap_or(u32::MAX);
        let total = self.settings.request_timeout.min(share);
        let total = total.max(Duration::from_millis(1));
        let connect = self.settings.connect_timeout.min(total);
        let in_a_hurry = request.repeatable && servers_left > 1;
        Limits {
            connect,
            answer: if in_a_hurry { connect } else { total },
            total,
        }
    }

    /// How long a server is looked at that is asked nothing else.
    fn scouting(&self) -> Limits {
        let time = self.settings.connect_timeout.min(self.time_left());
        let time = time.max(Duration::from_millis(1));
        Limits {
            connect: time,
            answer: time,
            total: time,
        }
    }

    /// How long a single server could be waited for now.
    fn longest_wait(&self, request: &Request<'_>) -> Duration {
        self.limits(request, 1).answer
    }

    fn time_left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        })
    }

    fn ask<R>(
        &self,
        address: &Address,
        request: &Request<'_>,
        limits: Limits,
        parse: impl Fn(&Answer) -> Result<R, Trouble>,
    ) -> Result<Result<Option<R>, NoAnswer>, Error> {
        let answer = match self.exchange(address, request, limits)? {
            Ok(answer) => answer,
            Err(no_answer) => return Ok(Err(no_answer)),
        };
        if answer.status >= 300 {
            let own = &self.authentication;
            let authentication = request.authentication.as_ref().unwrap_or(own);
            let ask = |login: &Request<'_>| self.exchange(address, login, limits);
            if lockout::is_locked_out(request, authentication, &answer, ask) {
                return Ok(Err(NoAnswer {
                    trouble: Trouble::LockedOut,
                    may_have_acted: false,
                }));
            }
            let words = !request.has_secret_body;
            return Err(refusal(address, request.path, &answer, words));
        }
        if answer.body.is_empty() {
            return Ok(Ok(None));
        }
        let reply = parse(&answer);
        Ok(reply.map(Some).map_err(|trouble| NoAnswer {
            trouble,
            may_have_acted: true,
        }))
    }

    /// A server that was never initialised calls itself sealed. Which it is, is asked where that is all there is
    /// to tell.
    fn without_false_seals(&self, mut error: Error) -> Error {
        if let Error::Unavailable { attempts } = &mut error {
            let sealed = attempts.iter_mut();
            for attempt in sealed.filter(|attempt| matches!(attempt.trouble, Trouble::Sealed)) {
                let looked = scout::look(&self.agent(), &attempt.address, self.scouting());
                if let Some(trouble @ Trouble::NotInitialized) = looked {
                    attempt.trouble = trouble;
                }
            }
        }
        error
    }

    /// One request to one server, and to another where it points there and [`destination`] allows it.
    fn exchange(
        &self,
        address: &Address,
        request: &Request<'_>,
        limits: Limits,
    ) -> Result<Result<Answer, NoAnswer>, Error> {
        let headers = self.headers(request);
        let encoded = path::encode(request.path)?;
        let (method, query) = match request.method {
            Method::Get => ("GET", ""),
            Method::List => ("GET", "?list=true"),
            Method::Post => ("POST", ""),
            Method::Delete => ("DELETE", ""),
        };
        let asked = format!("{encoded}{query}");
        let mut server = address.clone();
        for _ in 0..2 {
            let url = server.url(&asked);
            let path = url[server.to_string().len()..].to_owned();
            let message = Message {
                method,
                url,
                headers: &headers,
                body: &request.body,
                largest: request.largest,
            };
            let answer = match exchange(&self.agent(), &message, limits) {
                Ok(answer) => answer,
                Err(Ok(no_answer)) => return Ok(Err(no_answer)),
                Err(Err(reason)) => {
                    return Err(Error::Request {
                        path: request.path.to_owned(),
                        reason,
                    });
                }
            };
            if !is_redirect(answer.status) {
                return Ok(Ok(answer));
            }
            if self.active.is_some() && matches!(answer.status, 307 | 308) {
                return Ok(Err(not_forwarded(&answer)));
            }
            let location = answer.location.as_deref();
            match destination::of_redirect(&self.settings, &server, &path, location) {
                Ok(to) => server = to,
                Err(elsewhere) => return Ok(Err(astray(elsewhere))),
            }
        }
        Ok(Err(astray(Astray {
            to: server.to_string(),
            why: Why::Circle,
        })))
    }

    /// One request to the server that is asked first, and no other; `carry` sends it.
    pub(crate) fn at_preferred(
        &self,
        request: &Request<'_>,
        carry: impl FnOnce(&Agent, &Message<'_>) -> Result<Opened, Result<NoAnswer, String>>,
    ) -> Result<Opened, Error> {
        let address = self.address();
        let message = Message {
            method: match request.method {
                Method::Get | Method::List => "GET",
                Method::Post => "POST",
                Method::Delete => "DELETE",
            },
            url: address.url(&path::encode(request.path)?),
            headers: &self.headers(request),
            body: &request.body,
            largest: request.largest,
        };
        match carry(&self.agent(), &message) {
            Ok(Opened::Answer(answer)) if is_redirect(answer.status) => {
                let to = destination::shown(answer.location.as_deref().unwrap_or_default());
                let why = Why::NotActive;
                Err(self.unusable(Astray { to, why }.into()))
            }
            Ok(Opened::Answer(answer)) if answer.status >= 300 => {
                Err(refusal(address, request.path, &answer, true))
            }
            Ok(opened) => Ok(opened),
            Err(Ok(no_answer)) => Err(self.unusable(no_answer.trouble)),
            Err(Err(reason)) => Err(Error::Request {
                path: request.path.to_owned(),
                reason,
            }),
        }
    }

    /// Whether the server that is asked first answers `request` itself, in place of pointing to the active one.
    pub(crate) fn answers_itself(&self, request: &Request<'_>) -> Result<bool, Error> {
        let limits = self.limits(request, 1);
        let mut points_elsewhere = false;
        let answered = self.at_preferred(request, |agent, message| {
            let answer = exchange(agent, message, limits)?;
            points_elsewhere = matches!(answer.status, 307 | 308);
            Ok(Opened::Answer(answer))
        });
        if points_elsewhere {
            return Ok(false);
        }
        answered.map(|_| true)
    }

    /// The error for the server that is asked first.
    pub(crate) fn unusable(&self, trouble: Trouble) -> Error {
        Error::Unavailable {
            attempts: vec![Attempt {
                address: self.address().clone(),
                trouble,
            }],
        }
    }

    /// How long a connection may take to come about.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.settings.connect_timeout
    }

    fn headers(&self, request: &Request<'_>) -> Vec<(&'static str, SecretString)> {
        let mut headers = request
            .authentication
            .as_ref()
            .unwrap_or(&self.authentication)
            .headers();
        // asks OpenBao to refuse what a web page could have made a browser send
        headers.push(("X-Vault-Request", "true".into()));
        let namespace = self.settings.namespace.as_ref();
        if let Some(namespace) = namespace.filter(|_| !request.in_root_namespace) {
            headers.push(("X-Vault-Namespace", namespace.as_str().into()));
        }
        if !request.body.is_empty() {
            headers.push(("Content-Type", "application/json".into()));
        }
        headers.extend(request.headers.iter().cloned());
        headers.extend(self.active.iter().flat_map(ActiveNode::headers));
        headers
    }
}

/// An agent without open connections.
fn new_agent(settings: &Settings) -> Result<Agent, Error> {
    let needs_tls = settings.addresses.iter().any(Address::is_encrypted);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0) // followed here, so that no header goes where it should not
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("zero-touch-secrets/", env!("CARGO_PKG_VERSION")))
        .input_buffer_size(16 << 10)
        .output_buffer_size(16 << 10)
        .allow_non_standard_methods(true)
        .build();
    Ok(agent(config, &settings.trust, needs_tls)?)
}

fn astray(elsewhere: Astray) -> NoAnswer {
    NoAnswer {
        trouble: elsewhere.into(),
        may_have_acted: false,
    }
}

/// A standby that cannot reach the active node points to it. Its address was named by no person.
fn not_forwarded(answer: &Answer) -> NoAnswer {
    let location = answer.location.as_deref().unwrap_or_default();
    let origin = location
        .split_once("/v1/")
        .map_or(location, |(origin, _)| origin);
    NoAnswer {
        trouble: standby(origin),
        may_have_acted: false,
    }
}

/// The error for an answer with status 4xx, with the server's words or without.
fn refusal(address: &Address, path: &str, answer: &Answer, words: bool) -> Error {
    let path = path.to_owned();
    let messages = words.then(|| reply::messages(&answer.body));
    let refusal = Refusal {
        address: address.clone(),
        messages: messages.unwrap_or_default(),
    };
    match answer.status {
        _ if answer.inline_login_failed => Error::LoginRefused { path, refusal },
        403 => Error::Denied { path, refusal },
        404 => crate::kv::gone(&path, &answer.body).unwrap_or(Error::NotFound { path, refusal }),
        status => Error::Refused {
            path,
            status,
            refusal,
        },
    }
}
