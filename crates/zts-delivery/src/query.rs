//! The parameters of a query to OpenBao, and the meaning of its errors.

use std::time::Duration;

use serde::Deserialize;
use zts_openbao::{Error, NodeError};

/// The way to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginMode {
    /// Inline authentication, and a login where the server does not support that.
    #[default]
    Auto,
    /// Inline authentication only (OpenBao 2.4 and later).
    Inline,
    /// A login before the read: two requests.
    #[serde(rename = "login")]
    TokenFirst,
}

/// An error of a query.
#[derive(Debug)]
pub enum QueryError {
    /// No server could be used, or no active node could confirm that there is nothing, or only an
    /// older version than the host's, or OpenBao no longer keeps the pinned version.
    Unavailable(Error),
    /// There is no such secret, or its newest version was deleted or destroyed.
    Gone(Error),
    /// Any other error. The secret may exist.
    Other(Error),
}

impl QueryError {
    /// Returns whether the error concerns one secret only, so that a query for another one may
    /// succeed and costs no wait.
    pub fn concerns_one_secret(&self) -> bool {
        match self {
            Self::Unavailable(error) => {
                let is_of_secret = matches!(
                    error,
                    Error::Unconfirmed { .. } | Error::NoSuchVersion { .. }
                );
                error.is_bad_reply() || is_of_secret
            }
            // the credentials are the host's: each further request would be refused, too
            Self::Other(Error::LoginRefused { .. }) => false,
            Self::Gone(_) | Self::Other(_) => true,
        }
    }

    /// Returns the error of the client.
    pub fn into_cause(self) -> Error {
        match self {
            Self::Unavailable(cause) | Self::Gone(cause) | Self::Other(cause) => cause,
        }
    }
}

/// The limits of repeated attempts.
#[derive(Clone, Copy)]
pub struct RetryPolicy {
    /// The time for all attempts, with the pauses between them.
    pub deadline: Duration,
    /// Tries again only servers that are busy, such as where a copy can stand in for an answer. A
    /// server that cannot be reached is then given up at once.
    pub only_busy: bool,
}

pub(crate) fn classify_error(error: Error) -> QueryError {
    match &error {
        Error::Unavailable { .. } | Error::Unconfirmed { .. } => QueryError::Unavailable(error),
        Error::Deleted { .. } | Error::Destroyed { .. } => QueryError::Gone(error),
        // a message means that the mount is missing, maybe by mistake
        Error::NotFound { api_error, .. } if api_error.messages.is_empty() => {
            QueryError::Gone(error)
        }
        _ => QueryError::Other(error),
    }
}

pub(crate) fn is_retryable(error: &Error, only_busy: bool) -> bool {
    let is_busy = |error: &NodeError| {
        matches!(
            error,
            NodeError::RateLimited | NodeError::Standby { .. } | NodeError::Server { .. }
        )
    };
    match error {
        Error::Unavailable { attempts } if only_busy => {
            attempts.iter().any(|attempt| is_busy(&attempt.error))
        }
        error => error.is_transient(),
    }
}
