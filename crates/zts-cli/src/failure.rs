//! The failure of a run: message, hint and exit status.

use std::{borrow::Cow, fmt};

use zts_net::{TlsError, TransportError};
use zts_openbao::{
    Error, NodeError,
    destination::{RedirectError, RedirectReason},
};

use crate::printable::shell_word;

/// The exit status of a failed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The job failed.
    Failed = 1,
    /// The usage or the configuration is wrong, so another attempt does not help.
    Usage = 2,
}

/// The failure of a run, with a message (what failed, on what and why) and a hint.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    /// The page about it, relative to `docs/`.
    page: Option<&'static str>,
    /// The hint and the page.
    advice: Option<String>,
    status: Status,
}

impl Failure {
    fn new(message: impl fmt::Display, status: Status) -> Self {
        Self {
            message: message.to_string(),
            hint: None,
            page: None,
            advice: None,
            status,
        }
    }

    /// A failed job. `message` is lower case, without a full stop, with values in backticks.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(message, Status::Failed)
    }

    /// Wrong usage or configuration; `message` as in [`Failure::failed`].
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(message, Status::Usage)
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self.compose_advice();
        self
    }

    /// Adds the page about the failure, relative to `docs/`, which the hint names. Replaces another
    /// page.
    #[must_use]
    pub fn page(mut self, page: &'static str) -> Self {
        self.page = Some(page);
        self.compose_advice();
        self
    }

    /// Returns the page, if there is one.
    pub(crate) fn page_name(&self) -> Option<&'static str> {
        self.page
    }

    fn compose_advice(&mut self) {
        self.advice = match (&self.hint, self.page) {
            (Some(hint), Some(page)) if hint.ends_with('?') => {
                Some(format!("{hint} See `docs/{page}`"))
            }
            (Some(hint), Some(page)) => Some(format!("{hint}; see `docs/{page}`")),
            (None, Some(page)) => Some(format!("see `docs/{page}`")),
            (hint, None) => hint.clone(),
        };
    }

    /// Prefixes the message with `before` and a colon.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        self.message = format!("{before}: {}", self.message);
        self
    }

    /// Appends a semicolon and `after` to the message.
    #[must_use]
    pub fn suffix(mut self, after: impl fmt::Display) -> Self {
        self.message = format!("{}; {after}", self.message);
        self
    }

    /// Returns the message, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the hint with the page, if there is one of them.
    pub fn hint_text(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// Returns the exit status.
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
        let failure = match page(error) {
            Some(page) => failure.page(page),
            None => failure,
        };
        match hint(error) {
            Some(text) => failure.hint(text),
            None => failure,
        }
    }
}

/// The page about a server that does not answer.
pub(crate) const UNREACHABLE: &str = "runbook/openbao-unreachable.md";

/// Returns the page about an error of OpenBao's, relative to `docs/`.
fn page(error: &Error) -> Option<&'static str> {
    match error {
        Error::Unavailable { .. } | Error::Unconfirmed { .. } => {
            let first = error.attempts().first()?;
            node_error_page(first.error.root())
        }
        _ => None,
    }
}

fn node_error_page(error: &NodeError) -> Option<&'static str> {
    Some(match error {
        NodeError::Transport(TransportError::Tls(error)) => match error {
            TlsError::Expired | TlsError::NotYetValid => "runbook/certificate-expired.md",
            TlsError::UnknownAuthority => {
                "runbook/certificate-expired.md#the-hosts-ca-certificates"
            }
            _ => return None,
        },
        NodeError::Transport(TransportError::Connect(_) | TransportError::Timeout(_)) => {
            UNREACHABLE
        }
        NodeError::Standby { leader: None } => "runbook/quorum-lost.md",
        NodeError::Sealed => "runbook/node-sealed.md",
        NodeError::LockedOut => "runbook/role-locked.md",
        _ => return None,
    })
}

fn hint(error: &Error) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match error {
        Error::Unavailable { .. } | Error::Unconfirmed { .. } => {
            return error
                .attempts()
                .first()
                .and_then(|attempt| node_error_hint(&attempt.error));
        }
        Error::KvVersion1 { mount } => {
            return Some(
                format!(
                    "make it version 2 with `bao kv enable-versioning {}`",
                    shell_word(mount)
                )
                .into(),
            );
        }
        Error::Denied { .. } => "the policy does not allow this path, or the token has expired",
        Error::Trust(_) => {
            "give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`"
        }
        Error::Address(_) => {
            "an address reads `https://10.0.0.5:8200`; give it with `--address` or `BAO_ADDR`"
        }
        _ => return None,
    }))
}

fn node_error_hint(error: &NodeError) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match error.root() {
        NodeError::Transport(error) => return transport_hint(error).map(Cow::Borrowed),
        NodeError::Standby { leader: Some(_) } => {
            "name each node of the cluster, with commas between: `--address` or `BAO_ADDR`"
        }
        NodeError::Standby { leader: None } => {
            "the cluster has lost its quorum, or elects a leader just now: `vault-node status` on a node tells"
        }
        NodeError::Sealed => "unseal it with `bao operator unseal`",
        NodeError::NotInitialized => "initialise it with `bao operator init`",
        NodeError::LockedOut => {
            "`bao auth tune -user-lockout-disable=true approle/` opens it at once, and keeps anybody from \
             locking it again; `approle/` is the mount"
        }
        // what OpenBao says where a role limits the uses of its tokens, and the login stands inside
        // the request
        NodeError::Server {
            status: 500,
            messages,
        } if messages
            .iter()
            .any(|text| text.ends_with("* internal error")) =>
        {
            "OpenBao's log says more; a role with `token_num_uses` cannot log in inside a request: set it to 0, \
             or log in first (`--authentication login`)"
        }
        NodeError::Redirect(redirect) => return Some(redirect_hint(redirect)),
        NodeError::BadReply(_) => {
            "is this OpenBao's address, and nothing in between that answers in its place?"
        }
        _ => return None,
    }))
}

fn transport_hint(error: &TransportError) -> Option<&'static str> {
    Some(match error {
        TransportError::Connect(_) | TransportError::Timeout(_) => {
            "check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between"
        }
        TransportError::Closed(_) => {
            "the log of the server at that address says why, or that of what is in between"
        }
        TransportError::Tls(TlsError::Expired) => {
            "renew OpenBao's certificate, or the CA's above it; or is this machine's clock fast (`date`)?"
        }
        TransportError::Tls(TlsError::NotYetValid) => {
            "set this machine's clock (`date`); if it is right, OpenBao's certificate begins later"
        }
        TransportError::Tls(TlsError::NotSpoken) => "is it `http://` that is spoken there?",
        TransportError::Tls(TlsError::Needed) => "give its address with `https://`",
        TransportError::Tls(TlsError::AnotherName) => {
            "give an address that OpenBao's certificate names (`openssl s_client -connect HOST:PORT`), or make \
             one with this name, as `subjectAltName`"
        }
        TransportError::Tls(TlsError::IsCa) => {
            "if that is OpenBao's own certificate, name the file with it: `--ca-certificate FILE`, `BAO_CACERT`"
        }
        TransportError::Tls(_) => {
            "give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, \
             and an address that its certificate names"
        }
        _ => return None,
    })
}

/// Returns the hint for a server's redirect that is not followed.
fn redirect_hint(RedirectError { to, reason }: &RedirectError) -> Cow<'static, str> {
    match reason {
        RedirectReason::WasNotEncrypted => format!("if that is OpenBao, give that address: `--address {to}`").into(),
        RedirectReason::UnknownServer => {
            "if that is a server of the same cluster, name it, too: `--address URL,URL`, `BAO_ADDR`; \
             or name the CA certificate of the cluster alone with `--ca-certificate FILE`"
                .into()
        }
        RedirectReason::NotEncrypted => {
            "set `api_addr` of that server to its `https://` address; nothing is sent unencrypted".into()
        }
        RedirectReason::NotActive => "ask the active server".into(),
        RedirectReason::OtherPath | RedirectReason::NoAddress | RedirectReason::TooMany => {
            "is this OpenBao's address, and nothing in between that answers in its place?".into()
        }
    }
}
