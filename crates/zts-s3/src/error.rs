//! Failures of an object store.

use zts_net::TransportError;

/// A failed request. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed at `{bucket}`: {cause}")]
pub struct Error {
    /// The action and its object, such as "reading `a`".
    pub action: String,
    /// The bucket's URL.
    pub bucket: String,
    /// The cause.
    #[source]
    pub cause: Cause,
}

/// The cause of a failed request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// No connection, or no answer in time.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer that ended too early.
    #[error("its answer broke off: {0}")]
    BrokenOff(String),
    /// The store refused, with its own code and message.
    #[error("HTTP status {status}{}", description(code, message))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// S3's error code, such as `NoSuchKey`; empty where the answer is not S3's.
        code: String,
        /// S3's message.
        message: String,
    },
    /// An answer that is not S3's.
    #[error("its answer is not S3's: {0}")]
    BadReply(String),
}

impl Cause {
    /// Returns whether the same request may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Transport(_) | Self::BrokenOff(_) => true,
            Self::Refused { status, code, .. } => {
                *status >= 500 && *status != 501
                    || matches!(status, 408 | 429)
                    || code == "RequestTimeout"
            }
            Self::BadReply(_) => false,
        }
    }
}

impl Error {
    fn status(&self) -> Option<u16> {
        match self.cause {
            Cause::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Returns whether the object or upload does not exist.
    pub fn is_absent(&self) -> bool {
        self.status() == Some(404)
    }

    /// Returns whether another object already has the key.
    pub fn is_taken(&self) -> bool {
        self.status() == Some(412)
    }

    /// Returns whether the store does not support the request.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.status() == Some(501)
    }

    /// Returns whether the store does not accept these credentials, or does not allow them this
    /// action.
    pub fn is_denied(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }
}

fn description(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        ("", only) | (only, "") => format!(" ({only})"),
        (code, message) => format!(" ({code}: {message})"),
    }
}
