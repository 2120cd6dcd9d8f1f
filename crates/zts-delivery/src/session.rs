//! Several queries to OpenBao over one connection, each within a deadline.

use std::time::{Duration, SystemTime};

use zts_net::{deadline_in, retry_until};
use zts_openbao::{
    Address, AppRoleCredentials, Authentication, Client, Error, Settings, approle, sys,
};

use crate::{
    DeclaredOpenBao, LoginMode, MissingLeader, QueryError, RetryPolicy, RuntimeDir, credentials,
    error::is_bare_denial,
    last_server::NotedServer,
    leader,
    login_limiter::LoginPermit,
    query::{classify_error, is_retryable},
};

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// The longest time to wait for another process's login.
const LONGEST_LOGIN_WAIT: Duration = Duration::from_secs(2);

/// The parameters of a session.
pub struct SessionConfig<'a> {
    /// The connection settings.
    pub settings: Settings,
    /// The host's credentials.
    pub credentials: AppRoleCredentials,
    /// The way to log in.
    pub login: LoginMode,
    /// The mount of the AppRole auth method.
    pub approle_mount: &'a str,
    /// The notes that the host's processes share.
    pub runtime_dir: Option<RuntimeDir>,
}

impl<'a> SessionConfig<'a> {
    /// Returns the parameters that a host declares, with its credentials.
    ///
    /// # Errors
    /// See [`credentials::read`].
    pub fn declared(
        openbao: &'a DeclaredOpenBao,
        settings: Settings,
        runtime_dir: Option<RuntimeDir>,
    ) -> Result<Self, crate::Error> {
        Ok(Self {
            settings,
            credentials: credentials::read(&openbao.approle_directory)?,
            login: openbao.authentication,
            approle_mount: &openbao.approle_mount,
            runtime_dir,
        })
    }

    /// Creates a session. The first query sends the first request.
    ///
    /// # Errors
    /// No address, or root certificates that cannot be loaded.
    pub fn open(self, retry_policy: RetryPolicy) -> Result<Session<'a>, QueryError> {
        let mut client = Client::new(self.settings.clone()).map_err(QueryError::Other)?;
        let runtime_dir = self.runtime_dir.as_ref();
        let last_server = runtime_dir.and_then(|folder| folder.last_server().read());
        if let Some(server) = &last_server {
            client.prefer(server.address());
        }
        let needs_login = last_server
            .is_some_and(|server| server.address() == client.address() && server.needs_login());
        let must_log_in =
            self.login == LoginMode::TokenFirst || self.login == LoginMode::Auto && needs_login;
        if !must_log_in {
            client.authenticate(Authentication::Inline {
                mount: self.approle_mount.to_owned(),
                credentials: self.credentials.clone(),
            });
        }
        Ok(Session {
            noted: client.address().clone(),
            login_state: if must_log_in {
                LoginState::LoginNeeded
            } else {
                LoginState::Inline
            },
            lacks_inline_authentication: false,
            left_first_server: false,
            has_queried: false,
            config: self,
            client,
            retry_policy,
        })
    }
}

/// A connection to OpenBao.
pub struct Session<'a> {
    pub(crate) config: SessionConfig<'a>,
    pub(crate) client: Client,
    retry_policy: RetryPolicy,
    /// The server that the next process tries first.
    noted: Address,
    /// Set when another server answered than the one that was tried first.
    left_first_server: bool,
    pub(crate) login_state: LoginState,
    /// Set when the server was found to ignore inline authentication.
    lacks_inline_authentication: bool,
    /// Set when a server was queried.
    has_queried: bool,
}

/// The node that answers a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TargetNode {
    /// The first node that can be used.
    AnyNode,
    /// The active node of the cluster.
    ActiveNode,
}

impl TargetNode {
    fn send<T>(
        self,
        client: &Client,
        request: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Self::AnyNode => request(client),
            Self::ActiveNode => request(&client.active()),
        }
    }
}

/// The authentication of the next query.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginState {
    /// The login is in the request's headers.
    Inline,
    /// A login comes first.
    LoginNeeded,
    /// The client has a token from a login.
    LoggedIn,
}

/// Returns whether the server that answered is a standby.
fn is_standby(client: &Client) -> bool {
    sys::leader(client).is_ok_and(|leader| leader.ha_enabled && !leader.is_self)
}

impl Session<'_> {
    /// Sets the limits of the queries that follow.
    pub fn set_retry_policy(&mut self, retry_policy: RetryPolicy) {
        self.retry_policy = retry_policy;
    }

    /// Returns the server that answered, if its cluster has no leader, so that the answer may be
    /// old. Sends no request where a leader was seen recently and the first server has answered, or
    /// where no server was queried.
    pub fn find_missing_leader(&mut self) -> Option<MissingLeader> {
        if !self.has_queried {
            return None;
        }
        let note = self.config.runtime_dir.as_ref();
        let note = note.map(RuntimeDir::leader_note);
        leader::find_missing(&mut self.client, note.as_ref(), self.left_first_server)
    }

    /// Sends a request, again with growing pauses while no server can be used.
    pub(crate) fn query<T>(
        &mut self,
        request: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, QueryError> {
        self.has_queried = true;
        let deadline = deadline_in(self.retry_policy.deadline);
        self.client.set_deadline(Some(deadline));
        let only_busy = self.retry_policy.only_busy;
        let retryable = |error: &Error| is_retryable(error, only_busy);
        let result = retry_until(deadline, PAUSES, retryable, || {
            self.query_once(TargetNode::AnyNode, &request)
        });
        self.note_server();
        result.map_err(classify_error)
    }

    /// Repeats a request on the active node after an answer that may be a standby's and old.
    /// `explain` turns the error of an active node that cannot be used into one that says so.
    pub(crate) fn query_active_node<T>(
        &mut self,
        request: impl Fn(&Client) -> Result<T, Error>,
        explain: impl FnOnce(Error) -> Error,
    ) -> Result<T, QueryError> {
        let result = self.query_once(TargetNode::ActiveNode, request);
        self.note_server();
        result.map_err(|error| classify_error(explain(error)))
    }

    /// Notes the server that a request for any node went to last, if it is another one than before
    /// or was found to need a login.
    fn note_server(&mut self) {
        let answered = self.client.address();
        if self.noted == *answered && !self.lacks_inline_authentication {
            return;
        }
        self.left_first_server |= self.noted != *answered;
        self.noted = answered.clone();
        if let Some(notes) = &self.config.runtime_dir {
            let server = NotedServer::new(answered.clone());
            notes
                .last_server()
                .write(&if self.lacks_inline_authentication {
                    server.with_login(SystemTime::now())
                } else {
                    server
                });
        }
        self.lacks_inline_authentication = false;
    }

    /// Sends a request with the token, or with inline authentication where there is none.
    fn query_once<T>(
        &mut self,
        target: TargetNode,
        request: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.login_state == LoginState::LoginNeeded {
            self.log_in()?;
        }
        if self.login_state == LoginState::LoggedIn {
            return target.send(&self.client, request);
        }
        self.query_inline(target, request)
    }

    /// Sends a request that logs in itself. Logs in by a request of its own where the server
    /// ignores inline authentication.
    fn query_inline<T>(
        &mut self,
        target: TargetNode,
        request: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let permit = self.acquire_login_permit()?;
        match target.send(&self.client, &request) {
            Err(Error::Denied { ref api_error, .. })
                // a server before 2.4 ignores the headers of inline authentication
                if self.config.login == LoginMode::Auto && is_bare_denial(api_error) =>
            {
                drop(permit); // no login took place
                self.log_in_and_repeat(|client| target.send(client, &request))
            }
            // a standby with old data may accept credentials that the active node refuses, and that
            // one is queried next
            Err(error) if target == TargetNode::AnyNode && error.says_absent() => Err(error),
            // a standby with old data does not know new credentials yet
            Err(refusal @ Error::LoginRefused { .. })
                if target == TargetNode::AnyNode && is_standby(&self.client) =>
            {
                let confirmed = request(&self.client.active());
                permit.record(&confirmed);
                confirmed.map_err(|error| if error.is_unavailable() { refusal } else { error })
            }
            result => {
                permit.record(&result);
                result
            }
        }
    }

    /// Repeats a request with a token, after the server has ignored inline authentication.
    fn log_in_and_repeat<T>(
        &mut self,
        send: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.login_state = LoginState::LoginNeeded;
        self.log_in()?;
        let result = send(&self.client);
        // a token that is bound to another address is denied in the same words
        self.lacks_inline_authentication = !matches!(&result, Err(Error::Denied { .. }));
        result
    }

    pub(crate) fn log_in(&mut self) -> Result<(), Error> {
        let permit = self.acquire_login_permit()?;
        let SessionConfig {
            approle_mount,
            credentials,
            ..
        } = &self.config;
        let token = approle::login(&self.client, approle_mount, credentials);
        permit.record(&token);
        self.client.authenticate(Authentication::Token(token?));
        self.login_state = LoginState::LoggedIn;
        Ok(())
    }

    /// Waits until this process may log in.
    fn acquire_login_permit(&self) -> Result<LoginPermit, Error> {
        let SessionConfig {
            runtime_dir: Some(notes),
            credentials,
            approle_mount,
            ..
        } = &self.config
        else {
            return Ok(LoginPermit::default());
        };
        let path = format!("auth/{approle_mount}/login");
        let timeout = (self.retry_policy.deadline / 4).min(LONGEST_LOGIN_WAIT);
        let limiter = notes.login_limiter();
        limiter.acquire(credentials, &path, self.client.address(), timeout)
    }
}
