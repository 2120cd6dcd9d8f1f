//! Failures of OpenBao, kept apart as callers must treat them.

use std::fmt;

use zts_net::{TlsError, TransportError, TrustError};

use crate::{
    Address, ParseAddressError,
    destination::{RedirectError, RedirectReason},
};

/// The longest text of a server's errors in a message, in characters.
const LONGEST: usize = 400;

/// A failed request. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server could be used: unreachable, sealed, overloaded, or with an answer that is not
    /// OpenBao's. The same request may succeed later.
    #[error("{}", UnavailableText(attempts))]
    Unavailable {
        /// The failure of each server, in the order in which they were tried.
        attempts: Vec<NodeFailure>,
    },
    /// The token or the identity has no right to do this (HTTP 403).
    #[error("OpenBao denied `{path}`{}", messages_suffix(&api_error.messages))]
    Denied {
        /// The API path.
        path: String,
        /// The server's answer.
        api_error: ApiError,
    },
    /// The login was refused: role id or secret id unknown, expired, or not from this address.
    #[error("OpenBao refused the login at `{path}`{}", messages_suffix(&api_error.messages))]
    LoginRefused {
        /// The login's API path.
        path: String,
        /// The server's answer.
        api_error: ApiError,
    },
    /// There is nothing at this path (HTTP 404).
    #[error("OpenBao has nothing at `{path}`{}", messages_suffix(&api_error.messages))]
    NotFound {
        /// The API path.
        path: String,
        /// The server's answer.
        api_error: ApiError,
    },
    /// A KV v2 secret has no such version: none was written, or it is beyond `max_versions`.
    #[error("OpenBao has no version {version} of `{path}`; the newest is {newest}")]
    NoSuchVersion {
        /// The path in the mount.
        path: String,
        /// The version that was asked for.
        version: u64,
        /// The newest version.
        newest: u64,
    },
    /// The newest version of a KV v2 secret was deleted; it can be undeleted on the server.
    #[error("version {version} of `{path}` was deleted on the server at {deletion_time}")]
    Deleted {
        /// The API path.
        path: String,
        /// The deleted version.
        version: u64,
        /// The time of deletion, as OpenBao writes it (RFC 3339).
        deletion_time: String,
    },
    /// The newest version of a KV v2 secret was destroyed.
    #[error("version {version} of `{path}` was destroyed on the server")]
    Destroyed {
        /// The API path.
        path: String,
        /// The destroyed version.
        version: u64,
    },
    /// A node has nothing at this path, or an older version than one that was seen before, and no
    /// active node could be used to confirm it.
    #[error("a node has {} `{path}`, and no active node confirmed it: {cause}", match version {
        None => "nothing at".to_owned(),
        Some(version) => format!("only version {version} of"),
    })]
    Unconfirmed {
        /// The API path.
        path: String,
        /// The older version; `None` where there is nothing.
        version: Option<u64>,
        /// The failure of the query to the active node.
        #[source]
        cause: Box<Error>,
    },
    /// The secret is in a KV engine without versions, which has no such paths.
    #[error("the secrets engine at `{mount}/` is KV version 1, not 2")]
    KvVersion1 {
        /// The path of the engine's mount.
        mount: String,
    },
    /// The request was refused for another reason (HTTP 400 and other 4xx).
    #[error("OpenBao refused `{path}` with HTTP status {status}{}", messages_suffix(&api_error.messages))]
    Refused {
        /// The API path.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The server's answer.
        api_error: ApiError,
    },
    /// The answer has a lease, which ends with the token that read it.
    #[error("OpenBao gives `{path}` with a lease, which a host cannot hold")]
    Lease {
        /// The API path.
        path: String,
    },
    /// A certificate that cannot be asked for or used.
    #[error("the certificate of `{path}` {reason}")]
    Certificate {
        /// The API path.
        path: String,
        /// The end of the sentence.
        reason: String,
    },
    /// A path that names no single place: an empty segment, `.` or `..`.
    #[error("`{path}` is not a path in OpenBao: it has an empty segment, `.` or `..`")]
    Path {
        /// The path as given.
        path: String,
    },
    /// No address was given, or one that cannot be parsed.
    #[error(transparent)]
    Address(#[from] ParseAddressError),
    /// The root certificates could not be loaded.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The request could not be written as HTTP, such as a namespace with a line break.
    #[error("the request for `{path}` cannot be sent: {reason}")]
    Request {
        /// The API path.
        path: String,
        /// The reason.
        reason: String,
    },
}

impl Error {
    /// Returns the error for a single server that cannot be used.
    pub fn unavailable(address: &Address, error: impl Into<NodeError>) -> Self {
        Self::Unavailable {
            attempts: vec![NodeFailure {
                address: address.clone(),
                error: error.into(),
            }],
        }
    }

    /// Returns the failures of the servers that were tried; none for an error with an answer.
    pub fn attempts(&self) -> &[NodeFailure] {
        match self {
            Self::Unavailable { attempts } => attempts,
            Self::Unconfirmed { cause, .. } => cause.attempts(),
            _ => &[],
        }
    }

    /// Returns whether the cluster could not be used at all, so that a cached copy may be used. An
    /// answer that no active node confirmed is not meant: [`Error::Unconfirmed`].
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Returns whether a server has locked the role that logged in, and no other could be used.
    pub fn is_locked_out(&self) -> bool {
        let mut attempts = self.attempts().iter();
        attempts.any(|attempt| matches!(attempt.error.root(), NodeError::LockedOut))
    }

    /// Returns whether all servers answered, and none of the answers was OpenBao's.
    pub fn is_bad_reply(&self) -> bool {
        let mut attempts = self.attempts().iter();
        self.is_unavailable()
            && attempts.all(|attempt| matches!(attempt.error.root(), NodeError::BadReply(_)))
    }

    /// Returns whether all servers limit the rate of requests.
    pub(crate) fn is_rate_limited(&self) -> bool {
        let mut attempts = self.attempts().iter();
        self.is_unavailable()
            && attempts.all(|attempt| matches!(attempt.error.root(), NodeError::RateLimited))
    }

    /// Returns whether a server answered that there is nothing, or nothing any more. Only the
    /// active node's answer is reliable.
    pub fn says_absent(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::Deleted { .. } | Self::Destroyed { .. }
        )
    }

    /// Returns the error of a query to the active node that was to confirm `absence`:
    /// [`Error::Unconfirmed`] where no active node could be used, else the error itself.
    #[must_use]
    pub fn leaving_unconfirmed(self, absence: Self) -> Self {
        match absence {
            Self::NotFound { path, .. }
            | Self::Deleted { path, .. }
            | Self::Destroyed { path, .. }
                if self.is_unavailable() =>
            {
                let cause = Box::new(self);
                Self::Unconfirmed {
                    path,
                    version: None,
                    cause,
                }
            }
            _ => self,
        }
    }

    /// Returns the error of a query to the active node that was to confirm an older version of
    /// `path`, as [`Error::leaving_unconfirmed`] does for an absence.
    #[must_use]
    pub fn leaving_version_unconfirmed(self, path: &str, version: u64) -> Self {
        if !self.is_unavailable() {
            return self;
        }
        Self::Unconfirmed {
            path: path.to_owned(),
            version: Some(version),
            cause: Box::new(self),
        }
    }

    /// Returns the message without the address, where only one server was tried.
    pub fn without_address(&self) -> String {
        match self.attempts() {
            [attempt] => attempt.error.to_string(),
            _ => self.to_string(),
        }
    }

    /// Returns whether another attempt may succeed soon: not for an untrusted certificate, a locked
    /// role, or a redirect that must not be followed.
    pub fn is_transient(&self) -> bool {
        let mut attempts = self.attempts().iter();
        attempts.any(|attempt| match attempt.error.root() {
            NodeError::Transport(TransportError::Tls(_)) | NodeError::LockedOut => false,
            NodeError::Redirect(redirect) => redirect.reason == RedirectReason::NotActive,
            _ => true,
        })
    }
}

/// The failure of one server.
#[derive(Clone, Debug)]
pub struct NodeFailure {
    /// The server.
    pub address: Address,
    /// Its failure.
    pub error: NodeError,
}

/// A server's answer to a request that it refused.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// The server.
    pub address: Address,
    /// OpenBao's `errors` array.
    pub messages: Vec<String>,
}

/// The reason why a server could not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// No connection, no TLS, or no answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The server is sealed.
    #[error("it is sealed")]
    Sealed,
    /// The server was never initialised.
    #[error("it is not initialised")]
    NotInitialized,
    /// The server is a standby, and the request needs the active node.
    #[error("it is a standby{}", match leader {
        Some(leader) => format!(", and the active node `{leader}` is not reached through it"),
        None => ", and no node of the cluster is active".to_owned(),
    })]
    Standby {
        /// The active node's own address, where the standby knows one.
        leader: Option<Address>,
    },
    /// The server has locked the role after refused logins, and checks none of its credentials for
    /// a while (concepts page "User lockout").
    #[error("it has locked this role after refused logins, for 15 minutes at most by default")]
    LockedOut,
    /// A rate limit (HTTP 429).
    #[error("it limits the rate of requests (HTTP status 429)")]
    RateLimited,
    /// Another server error (HTTP 5xx).
    #[error("HTTP status {status}{}", messages_suffix(messages))]
    Server {
        /// The HTTP status.
        status: u16,
        /// OpenBao's `errors` array.
        messages: Vec<String>,
    },
    /// A redirect that must not be followed.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// The server redirected the request to another one, which could not be used.
    #[error("it redirects to `{to}`, which cannot be used: {cause}")]
    Redirected {
        /// The other server.
        to: Address,
        /// Its failure.
        #[source]
        cause: Box<NodeError>,
    },
    /// An answer that is not OpenBao's.
    #[error("its answer is not OpenBao's: {0}")]
    BadReply(String),
}

impl NodeError {
    /// Returns the failure of the server that was to answer: of the last one, after a redirect.
    pub fn root(&self) -> &Self {
        match self {
            Self::Redirected { cause, .. } => cause.root(),
            error => error,
        }
    }
}

impl From<TransportError> for NodeError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Malformed(reason) => Self::BadReply(reason),
            error => Self::Transport(error),
        }
    }
}

impl From<TlsError> for NodeError {
    fn from(error: TlsError) -> Self {
        Self::Transport(error.into())
    }
}

/// Returns `: a; b` for the end of a sentence, or nothing. OpenBao folds its errors over several
/// lines.
fn messages_suffix(messages: &[String]) -> String {
    let texts: Vec<_> = messages
        .iter()
        .map(|text| join_lines(text))
        .filter(|text| !text.is_empty())
        .collect();
    if texts.is_empty() {
        return String::new();
    }
    let text = texts.join("; ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!(": {}…", &text[..end]),
        None => format!(": {text}"),
    }
}

fn join_lines(text: &str) -> String {
    let text = text
        .trim()
        .strip_prefix("1 error occurred:")
        .unwrap_or(text);
    let words: Vec<_> = text
        .split_whitespace()
        .filter(|word| *word != "*")
        .collect();
    words.join(" ")
}

struct UnavailableText<'a>(&'a [NodeFailure]);

impl fmt::Display for UnavailableText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [NodeFailure { address, error }] = self.0 {
            return write!(formatter, "OpenBao at `{address}` cannot be used: {error}");
        }
        write!(
            formatter,
            "none of the {} OpenBao servers can be used",
            self.0.len()
        )?;
        for (index, NodeFailure { address, error }) in self.0.iter().enumerate() {
            let separator = if index == 0 { ":" } else { ";" };
            write!(formatter, "{separator} `{address}`: {error}")?;
        }
        Ok(())
    }
}
