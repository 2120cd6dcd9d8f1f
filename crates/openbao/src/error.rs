//! What goes wrong with OpenBao, kept apart as callers must treat it.

use std::{fmt, time::Duration};

use crate::{
    Address, ParseAddressError, TrustError,
    destination::{Astray, Why},
    tls::TlsTrouble,
};

/// The longest text of a server's errors that is shown, in characters.
const LONGEST: usize = 400;

/// What went wrong. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server could be used: unreachable, sealed, overloaded, or answering nonsense. Later, the
    /// same request may succeed.
    #[error("{}", Unavailable(attempts))]
    Unavailable {
        /// What each server did, in the order of their list, from the one that was asked first.
        attempts: Vec<Attempt>,
    },
    /// The token or the identity has no right to do this (HTTP 403).
    #[error("OpenBao denied `{path}`{}", says(&refusal.messages))]
    Denied {
        /// The API path.
        path: String,
        /// Who refused and why.
        refusal: Refusal,
    },
    /// The login was refused: role id or secret id unknown, expired, or not from this address.
    #[error("OpenBao refused the login at `{path}`{}", says(&refusal.messages))]
    LoginRefused {
        /// The login's API path.
        path: String,
        /// Who refused and why.
        refusal: Refusal,
    },
    /// There is nothing at this path (HTTP 404).
    #[error("OpenBao has nothing at `{path}`{}", says(&refusal.messages))]
    NotFound {
        /// The API path.
        path: String,
        /// Who refused and why.
        refusal: Refusal,
    },
    /// The newest version of a KV v2 secret was deleted; it can be undeleted on the server.
    #[error("version {version} of `{path}` was deleted on the server at {deletion_time}")]
    Deleted {
        /// The API path.
        path: String,
        /// The deleted version.
        version: u64,
        /// When, as OpenBao writes times (RFC 3339).
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
    /// The secret is in a KV engine without versions, which knows no such paths.
    #[error("the secrets engine at `{mount}/` is KV version 1, not 2")]
    KvVersion1 {
        /// Where the engine is mounted.
        mount: String,
    },
    /// The request was refused for another reason (HTTP 400 and other 4xx).
    #[error("OpenBao refused `{path}` with HTTP status {status}{}", says(&refusal.messages))]
    Refused {
        /// The API path.
        path: String,
        /// The HTTP status.
        status: u16,
        /// Who refused and why.
        refusal: Refusal,
    },
    /// A path that names no single place: an empty segment, `.` or `..`.
    #[error("`{path}` is not a path in OpenBao: it has an empty segment, `.` or `..`")]
    Path {
        /// The path as given.
        path: String,
    },
    /// No address was given, or one that cannot be read.
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
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Whether the cluster could not be used at all, so that a cached copy may stand in.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether a server has locked the role that logged in, and none could be used.
    pub fn is_locked_out(&self) -> bool {
        let Self::Unavailable { attempts } = self else {
            return false;
        };
        attempts
            .iter()
            .any(|attempt| matches!(attempt.trouble, Trouble::LockedOut))
    }

    /// Whether every server that was asked answered, and none of the answers was OpenBao's.
    pub fn is_bad_reply(&self) -> bool {
        let Self::Unavailable { attempts } = self else {
            return false;
        };
        attempts
            .iter()
            .all(|attempt| matches!(attempt.trouble, Trouble::BadReply(_)))
    }

    /// Whether a server said that there is nothing, or nothing any more. Only the active node knows for sure.
    pub fn says_absent(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::Deleted { .. } | Self::Destroyed { .. }
        )
    }

    /// What went wrong, for a reader who knows which one server was asked.
    pub fn without_address(&self) -> String {
        match self {
            Self::Unavailable { attempts } if attempts.len() == 1 => {
                attempts[0].trouble.to_string()
            }
            other => other.to_string(),
        }
    }

    /// Whether asking again soon may help: false for a certificate that is not trusted, for a role that is
    /// locked, and for a server that points to where nothing may be sent.
    pub fn is_transient(&self) -> bool {
        let Self::Unavailable { attempts } = self else {
            return false;
        };
        attempts.iter().any(|attempt| match &attempt.trouble {
            Trouble::Tls(_) | Trouble::LockedOut => false,
            Trouble::Astray(astray) => astray.why == Why::NotActive,
            _ => true,
        })
    }
}

/// What one server did when it was asked.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The server.
    pub address: Address,
    /// What it did.
    pub trouble: Trouble,
}

/// Who refused a request, and what the server said.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The server.
    pub address: Address,
    /// OpenBao's `errors` array.
    pub messages: Vec<String>,
}

/// Why a server could not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection ended before the answer.
    #[error("it closed the connection without an answer ({0})")]
    Closed(String),
    /// No connection or no answer in time.
    #[error("no answer within {}", Seconds(*.0))]
    Timeout(Duration),
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(TlsTrouble),
    /// The server is sealed.
    #[error("it is sealed")]
    Sealed,
    /// The server was never initialised.
    #[error("it is not initialised")]
    NotInitialized,
    /// A standby, where only the active node will do.
    #[error("it is a standby{}", match leader {
        Some(leader) => format!(", and the active node `{leader}` is not reached through it"),
        None => ", and no node of the cluster is active".to_owned(),
    })]
    Standby {
        /// The active node's own address, where the standby knows one.
        leader: Option<Address>,
    },
    /// The server has locked the role after refused logins, and looks at no credentials of it for a while.
    #[error("it has locked this role after refused logins, for 15 minutes at most by default")]
    LockedOut,
    /// A rate limit (HTTP 429).
    #[error("it limits the rate of requests (HTTP status 429)")]
    RateLimited,
    /// Another server error (HTTP 5xx).
    #[error("HTTP status {status}{}", says(messages))]
    Server {
        /// The HTTP status.
        status: u16,
        /// OpenBao's `errors` array.
        messages: Vec<String>,
    },
    /// It points to where nothing may be sent.
    #[error(transparent)]
    Astray(#[from] Astray),
    /// An answer that is not OpenBao's.
    #[error("its answer is not OpenBao's: {0}")]
    BadReply(String),
}

/// `: a; b` behind a sentence, or nothing. OpenBao folds its errors over several lines.
fn says(messages: &[String]) -> String {
    let texts: Vec<_> = messages
        .iter()
        .map(|text| one_line(text))
        .filter(|text| !text.is_empty())
        .collect();
    if texts.is_empty() {
        String::new()
    } else {
        let text = texts.join("; ");
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!(": {}…", &text[..end]),
            None => format!(": {text}"),
        }
    }
}

fn one_line(text: &str) -> String {
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

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} s",
            (self.0.as_secs_f64() * 10.0).ceil() / 10.0
        )
    }
}

struct Unavailable<'a>(&'a [Attempt]);

impl fmt::Display for Unavailable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Attempt { address, trouble }] = self.0 {
            return write!(
                formatter,
                "OpenBao at `{address}` cannot be used: {trouble}"
            );
        }
        write!(
            formatter,
            "none of the {} OpenBao servers can be used",
            self.0.len()
        )?;
        for (index, Attempt { address, trouble }) in self.0.iter().enumerate() {
            write!(
                formatter,
                "{} `{address}`: {trouble}",
                if index == 0 { ":" } else { ";" }
            )?;
        }
        Ok(())
    }
}
