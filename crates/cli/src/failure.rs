//! The end of a run that did not do its job.

use std::fmt;

use openbao::{Error, Trouble};

/// How a run ended; the number is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The job failed.
    Failed = 1,
    /// The usage or the configuration is wrong: trying again does not help.
    Usage = 2,
}

/// What is told to the person who ran the program: what failed, on what, why, and what to do.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    status: Status,
}

impl Failure {
    /// The job failed. `message` is lower case, without a full stop, values in backticks.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            hint: None,
            status: Status::Failed,
        }
    }

    /// The usage or the configuration is wrong.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            hint: None,
            status: Status::Usage,
        }
    }

    /// With a word on what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With `before` and a colon in front of the message.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        self.message = format!("{before}: {}", self.message);
        self
    }

    /// With `after` behind a semicolon at the end of the message.
    #[must_use]
    pub fn suffix(mut self, after: impl fmt::Display) -> Self {
        self.message = format!("{}; {after}", self.message);
        self
    }

    /// The message, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, where there is something to say.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// How the run ends.
    pub fn status(&self) -> Status {
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let failure = match error {
            Error::Path { .. } | Error::Address(_) | Error::Trust(_) | Error::Request { .. } => {
                Self::usage(error)
            }
            _ => Self::failed(error),
        };
        match hint(error) {
            Some(text) => failure.hint(text),
            None => failure,
        }
    }
}

fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Unavailable { attempts } => {
            return attempts
                .first()
                .and_then(|attempt| trouble_hint(&attempt.trouble));
        }
        Error::Denied { .. } => "the policy does not allow this path, or the token has expired",
        Error::Trust(_) => {
            "give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`"
        }
        Error::Address(_) => {
            "an address reads `https://10.0.0.5:8200`; give it with `--address` or `BAO_ADDR`"
        }
        _ => return None,
    })
}

fn trouble_hint(trouble: &Trouble) -> Option<&'static str> {
    Some(match trouble {
        Trouble::Connect(_) | Trouble::Timeout(_) => {
            "check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between"
        }
        Trouble::Closed(_) => {
            "the log of the server at that address says why, or that of what is in between"
        }
        Trouble::Standby { leader: Some(_) } => {
            "name each node of the cluster, with commas between: `--address` or `BAO_ADDR`"
        }
        Trouble::Standby { leader: None } => {
            "the cluster has lost its quorum, or elects a leader just now: `vault-node status` on a node tells"
        }
        Trouble::Tls(_) => {
            "give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, \
             and an address that its certificate names"
        }
        Trouble::Sealed => "unseal it with `bao operator unseal`",
        Trouble::NotInitialized => "initialise it with `bao operator init`",
        Trouble::LockedOut => {
            "`bao auth tune -user-lockout-disable=true approle/` opens it at once, and keeps anybody from \
             locking it again; `approle/` is the mount"
        }
        Trouble::BadReply(_) => {
            "is this OpenBao's address, and nothing in between that answers in its place?"
        }
        _ => return None,
    })
}
